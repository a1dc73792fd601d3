/* One PostgreSQL connection: libpq non-blocking in pipeline mode, prepared
 * statements, reconnecting with jitter. Loop thread only. A query submitted
 * while the connection is down fails with -ENOTCONN. Each query is its own
 * transaction (its own sync), and is answered when that has ended: after the
 * commit. Answers come in the order of the queries. */
#ifndef PW_PG_H
#define PW_PG_H

#include "common/base/base.h"

struct loop;
struct pg;
typedef struct pg_result PGresult;

struct pg_conf {
	const char *name;	/* application_name and log lines; copied */
	const char *url;	/* postgresql://… or key=value; copied. Several
				 * hosts, socket directories as libpq has them */
	unsigned timeout_ms;	/* connect, and each query's deadline; the
				 * connection is dropped when one passes it.
				 * The server ends a statement after 9/10 of
				 * it (statement_timeout) */
	const char *const *setup;	/* NULL-terminated statements run on each
					 * connect (SET …, LISTEN …); borrowed;
					 * NULL: none. One that is refused keeps
					 * the connection from coming up. */
};

/* A prepared statement, defined once at file scope by the caller. Prepared on
 * first use per connection. */
struct pg_stmt {
	const char *name;
	const char *sql;
	int nparams;
};

/* up: connected and set up / lost, after the pending callbacks have run.
 * Logged by the client itself. */
typedef void pg_state_cb(void *arg, bool up);
/* Between any two answers; not while the connection is down. */
typedef void pg_notify_cb(void *arg, const char *channel, const char *payload);
/* Exactly once, never before pg_query() returns. err 0: PGRES_TUPLES_OK or
 * PGRES_COMMAND_OK in res, borrowed until return. -EREMOTEIO: the server
 * refused it (or to prepare it: that is tried again by the next query), res
 * holds the error (SQLSTATE). -ENOTCONN (never sent), -ECONNRESET (handed to
 * the connection, outcome unknown), -ETIMEDOUT (the server ended it in time, or
 * the deadline passed: then the outcome is unknown and the connection is
 * dropped). */
typedef void pg_cb(void *arg, int err, const PGresult *res);

/* Starts connecting. state and notify may be NULL. */
struct pg *pg_new(struct loop *l, const struct pg_conf *conf,
		  pg_state_cb *state, pg_notify_cb *notify, void *arg);
/* Pending callbacks get -ECANCELED before this returns. NULLs *pg. Not from
 * within a callback of this connection: from a LOOP_REAP task. */
void pg_free(struct pg **pg);
bool pg_up(const struct pg *pg);
/* Text parameters (UTF-8), copied; NULL is SQL NULL. cb may be NULL. */
void pg_query(struct pg *pg, const struct pg_stmt *stmt,
	      const char *const *params, pg_cb *cb, void *arg);
/* Drops the connection at the end of the loop's turn and connects anew;
 * nothing when down. For an owner whose LISTEN has gone deaf. */
void pg_drop(struct pg *pg);

/* Reading results. */
int pg_rows(const PGresult *res);
bool pg_null(const PGresult *res, int row, int col);
/* The text, NUL-terminated behind n, borrowed from res; empty when NULL. */
struct slice pg_text(const PGresult *res, int row, int col);
/* 0 when NULL or no number. */
int64_t pg_int(const PGresult *res, int row, int col);
bool pg_bool(const PGresult *res, int row, int col);
/* True if res is an error of this SQLSTATE; of this class when two characters
 * are given ("23"). res may be NULL. */
bool pg_error_is(const PGresult *res, const char *sqlstate);

/* Appends one element to a text array literal being built in *b: first call on
 * an empty buf opens '{'. NULL s: the element NULL. pg_array_end closes it and
 * NUL-terminates. (PostgreSQL 15, 8.15.2 Array Value Input.) */
struct buf;
void pg_array_add(struct buf *b, const char *s, size_t n);
void pg_array_end(struct buf *b);

#endif
