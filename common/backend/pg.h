/* One PostgreSQL connection: libpq non-blocking in pipeline mode, prepared
 * statements, reconnecting with jitter. Loop thread only. A query submitted
 * while the connection is down fails with -ENOTCONN. Each query is its own
 * transaction (its own sync). */
#ifndef PW_PG_H
#define PW_PG_H

#include "common/base/base.h"

struct loop;
struct pg;
typedef struct pg_result PGresult;

struct pg_conf {
	const char *name;	/* application_name and log lines; copied */
	const char *url;	/* postgresql://… or key=value; copied */
	unsigned timeout_ms;	/* connect, and each query's deadline; the
				 * connection is dropped when one passes it */
	const char *const *setup;	/* NULL-terminated statements run on each
					 * connect (SET …, LISTEN …); borrowed */
};

/* A prepared statement, defined once at file scope by the caller. Prepared on
 * first use per connection. */
struct pg_stmt {
	const char *name;
	const char *sql;
	int nparams;
};

typedef void pg_state_cb(void *arg, bool up);
typedef void pg_notify_cb(void *arg, const char *channel, const char *payload);
/* Exactly once, never before pg_query() returns. err 0: PGRES_TUPLES_OK or
 * PGRES_COMMAND_OK in res, borrowed until return. -EREMOTEIO: the server
 * refused it, res holds the error (SQLSTATE). -ENOTCONN (never sent),
 * -ECONNRESET (sent, outcome unknown), -ETIMEDOUT (likewise unknown). */
typedef void pg_cb(void *arg, int err, const PGresult *res);

struct pg *pg_new(struct loop *l, const struct pg_conf *conf,
		  pg_state_cb *state, pg_notify_cb *notify, void *arg);
void pg_free(struct pg **pg);	/* pending callbacks get -ECANCELED */
bool pg_up(const struct pg *pg);
/* Text parameters, copied; NULL is SQL NULL. */
void pg_query(struct pg *pg, const struct pg_stmt *stmt,
	      const char *const *params, pg_cb *cb, void *arg);

/* Appends one element to a text array literal being built in *b: first call on
 * an empty buf opens '{'. NULL s: the element NULL. pg_array_end closes it and
 * NUL-terminates. (PostgreSQL 15, 8.15.2 Array Value Input.) */
struct buf;
void pg_array_add(struct buf *b, const char *s, size_t n);
void pg_array_end(struct buf *b);

#endif
