/* One Redis connection: hiredis async, pipelined, reconnecting with jitter.
 * Loop thread only. A command submitted while the connection is down fails
 * with -ENOTCONN at the end of the loop's turn: what to keep until Redis is
 * back is the caller's. The commands of one turn leave in one write at its
 * end (LOOP_WRITE). The process must ignore SIGPIPE. */
#ifndef PW_REDIS_H
#define PW_REDIS_H

#include "common/base/base.h"

struct loop;
struct redis;
struct redisReply;

struct redis_conf {
	const char *name;	/* CLIENT SETNAME and log lines; copied */
	const char *host;	/* name or address; resolved without blocking; or a
				 * path beginning with '/': UNIX socket */
	unsigned port;
	const char *password;	/* "" or NULL: none */
	unsigned db;
	unsigned timeout_ms;	/* connect, and each command's deadline */
};

/* up: connected, authenticated and scripts loaded / lost. Logged once a change
 * by the client itself. Lost is told after the pending callbacks have run. */
typedef void redis_state_cb(void *arg, bool up);
/* Exactly once, never before redis_command() returns. err 0: r is the reply
 * (never an error reply), borrowed until the callback returns. Otherwise r is
 * NULL, or for -EREMOTEIO the server's error reply. -ENOTCONN: never sent.
 * -ETIMEDOUT (no reply in time; the connection is dropped) and -ECONNRESET
 * (connection lost): sent, outcome unknown. */
typedef void redis_cb(void *arg, int err, const struct redisReply *r);

/* Starts connecting. conf's strings are copied. state may be NULL. */
struct redis *redis_new(struct loop *l, const struct redis_conf *conf,
			redis_state_cb *state, void *arg);
/* Pending callbacks get -ECANCELED before this returns. NULLs *r. Not from
 * within a callback of this connection: from a LOOP_REAP task. */
void redis_free(struct redis **r);
bool redis_up(const struct redis *r);
/* It was lost, or could not be had at once, at some time. */
bool redis_had_trouble(const struct redis *r);

/* argv[i] are copied. cb may be NULL. Not for SUBSCRIBE, MONITOR and the like,
 * which answer more than once. */
void redis_command(struct redis *r, int argc, const struct slice *argv,
		   redis_cb *cb, void *arg);

/* A Lua script, EVALSHA'd. Defined once at file scope by the caller; the
 * client loads it on each connect and again after NOSCRIPT (the order that is
 * kept then: redis.c, again_with_text()). One that does not compile keeps the
 * connection from coming up. */
struct redis_script {
	const char *name;
	const char *text;
	char sha[41];		/* filled by the client */
};
void redis_script_add(struct redis *r, struct redis_script *s);
/* argv: nkeys keys, then arguments; argc counts both. Copied. */
void redis_eval(struct redis *r, struct redis_script *s, int nkeys, int argc,
		const struct slice *argv, redis_cb *cb, void *arg);

/* A subscription has a connection of its own (redis_new with its own conf and
 * no commands but these). Subscribed again after each reconnect, before
 * state(up) is called. msg is borrowed. */
typedef void redis_message_cb(void *arg, struct slice channel, struct slice msg);
struct redis_sub;
struct redis_sub *redis_sub_new(struct loop *l, const struct redis_conf *conf,
				const char *channel, redis_message_cb *msg,
				redis_state_cb *state, void *arg);
void redis_sub_free(struct redis_sub **s);
/* Further channels on the same connection, any number; exactly these names (no
 * patterns). Copied; told to the server at the end of the loop's turn, many in
 * one command, and again after each reconnect (state(up) does not wait for
 * them). Twice is once; a channel that is not there may be removed. Messages of
 * one that was removed may still come for a moment. Not the first channel. */
void redis_sub_add(struct redis_sub *s, struct slice channel);
void redis_sub_remove(struct redis_sub *s, struct slice channel);
bool redis_sub_up(const struct redis_sub *s);
/* Forces a reconnect at the end of the loop's turn; nothing when down. A
 * subscribed connection cannot be asked whether it lives (TCP keepalive takes
 * 25 s, and a stuck server still answers that): its owner publishes to the
 * channel, and calls this when that does not arrive. */
void redis_sub_drop(struct redis_sub *s);

#endif
