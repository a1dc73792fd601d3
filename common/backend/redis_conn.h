/* The connection below the two clients of redis.h: resolving, connecting,
 * greeting (AUTH, SELECT, CLIENT SETNAME and what the client adds),
 * reconnecting with jitter, and the log lines about it. Only common/backend
 * includes this. */
#ifndef PW_REDIS_CONN_H
#define PW_REDIS_CONN_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/backend/resolve.h"
#include "common/backend/retry.h"
#include "common/base/buf.h"
#include "common/loop/loop.h"

enum redis_conn_state {
	REDIS_CONN_WAITING,	/* for the next attempt */
	REDIS_CONN_RESOLVING,
	REDIS_CONN_CONNECTING,
	REDIS_CONN_GREETING,	/* connected; AUTH and so on unanswered */
	REDIS_CONN_UP,
	REDIS_CONN_BROKEN,	/* dropped at the end of the loop's turn */
};

struct redis_conn_ops {
	/* Connected, nothing sent: redis_conn_greet() what the client needs.
	 * May be NULL. */
	void (*greet)(void *arg);
	/* All of it is answered: redis_conn_set_up(), now or later. */
	void (*greeted)(void *arg);
	void (*state)(void *arg, bool up);
};

struct redis_conn {
	struct loop *loop;
	char *host;
	char *password;
	unsigned port;
	unsigned db;
	unsigned timeout_ms;

	enum redis_conn_state state;
	redisAsyncContext *ac;	/* from CONNECTING to BROKEN, else NULL */
	struct retry retry;	/* WAITING: next attempt; else its deadline */
	struct task drop;
	struct resolve *resolve;
	struct resolved addrs;	/* those after next_addr are still untried */
	int next_addr;
	unsigned greetings;	/* unanswered */
	struct buf scratch;	/* a command being formatted */

	const struct redis_conn_ops *ops;
	void *arg;
};

/* Starts connecting. */
void redis_conn_init(struct redis_conn *c, struct loop *l,
		     const struct redis_conf *conf,
		     const struct redis_conn_ops *ops, void *arg);
/* hiredis calls what is pending with a NULL reply before this returns. */
void redis_conn_free(struct redis_conn *c);

/* Queues a command; fn as in hiredis. 0, or -ENOTCONN: fn will not run. */
int redis_conn_send(struct redis_conn *c, int argc, const struct slice *argv,
		    redisCallbackFn *fn, void *privdata) MUST_CHECK;

/* Sends a command that must succeed for the connection to come up. reply is
 * never an error: one breaks the connection. reply may be NULL (function). */
typedef void redis_greet_cb(struct redis_conn *c, const redisReply *reply,
			    void *arg);
void redis_conn_greet(struct redis_conn *c, int argc, const struct slice *argv,
		      redis_greet_cb *cb, void *arg);
void redis_conn_set_up(struct redis_conn *c);
/* Drops the connection at the end of the loop's turn (hiredis must not be
 * left without its context in mid-callback). The first reason counts. */
void redis_conn_break(struct redis_conn *c, const char *fmt, ...) PRINTF(2, 3);

/* Appends a command in the Redis protocol. */
void redis_format(struct buf *b, int argc, const struct slice *argv);
/* redis_io.c: hiredis' events on our loop. */
void redis_io_attach(redisAsyncContext *ac, struct loop *l);

#endif
