/* The connection below pg.h: resolving, connecting, setup statements,
 * pipeline mode, reconnecting with jitter. Only common/backend includes
 * this. */
#ifndef PW_PG_CONN_H
#define PW_PG_CONN_H

#include <libpq-fe.h>

#include "common/backend/pg.h"
#include "common/backend/pg_target.h"
#include "common/backend/retry.h"
#include "common/loop/loop.h"

enum pg_conn_state {
	PG_CONN_WAITING,	/* for the next attempt */
	PG_CONN_RESOLVING,
	PG_CONN_CONNECTING,
	PG_CONN_SETUP,		/* statements of pg_conf.setup running */
	PG_CONN_UP,		/* in pipeline mode */
	PG_CONN_BROKEN,		/* dropped at the end of the loop's turn */
};

struct pg_conn_ops {
	/* Input was consumed while UP: take the results. */
	void (*input)(void *arg);
	/* The connection is gone; before state(false), if it was up. */
	void (*gone)(void *arg);
	void (*state)(void *arg, bool up);
};

struct pg_conn {
	struct loop *loop;
	const char *const *setup;
	unsigned timeout_ms;
	char limits[256];	/* the statement before those of setup */

	enum pg_conn_state state;
	PGconn *pg;		/* from CONNECTING to BROKEN, else NULL */
	struct io io;
	bool wants_write;	/* io waits for room, too */
	bool limited;		/* limits was sent */
	const char *const *next_setup;
	struct retry retry;	/* WAITING: next attempt; else its deadline */
	struct task drop;
	struct task flush;
	struct pg_target *target;

	const struct pg_conn_ops *ops;
	void *arg;
};

/* Starts connecting. */
void pg_conn_init(struct pg_conn *c, struct loop *l, const struct pg_conf *conf,
		  const struct pg_conn_ops *ops, void *arg);
/* Neither gone() nor state() is called. */
void pg_conn_free(struct pg_conn *c);
/* Something was put into libpq's buffer: write it at the end of the turn. */
void pg_conn_flush(struct pg_conn *c);
/* Drops the connection at the end of the loop's turn. The first reason
 * counts. */
void pg_conn_break(struct pg_conn *c, const char *fmt, ...) PRINTF(2, 3);

/* True if the error ended the session. */
bool pg_is_fatal(const PGresult *res);

#endif
