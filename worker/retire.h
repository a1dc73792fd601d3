/* How a worker ends: it drains, so that its clients may leave one by one, or it
 * stops. (ipc_messages.h: DRAIN, STOP) */
#ifndef PW_RETIRE_H
#define PW_RETIRE_H

#include "common/base/base.h"

struct chat;
struct conf;
struct eio_sessions;
struct listener;
struct loop;
struct retire;

/* All borrowed, and all outlive it. */
struct retire_parts {
	struct loop *loop;
	const struct conf *conf;	/* drain_spread, keepalive_timeout: read
					 * when they are needed */
	struct eio_sessions *sessions;
	struct listener *listener;
	struct chat *chat;
};

struct retire *retire_new(const struct retire_parts *p);
void retire_free(struct retire **r);

/* Accepts nobody from now on. Sessions stay for grace_ms, in everything as
 * before; those that are left then are closed one after the other, over
 * drain_spread, as a stop closes them: what is queued is written, the transport
 * just closes, and a stock client comes back by itself. Whoever waits for an
 * answer is closed last.
 *
 * When no session is left it still waits, for keepalive_timeout at most: for the
 * connections that are there (then they are told to go), for clients on polling
 * that do not know of their session's end yet (farewell.h), and for what
 * chat_busy() tells. Then, like a stop, it tells the backends, and the loop
 * ends. Another call may shorten the grace. */
void retire_drain(struct retire *r, uint32_t grace_ms);
/* Ends the loop, at the latest after within_ms, or 5 s; also while it drains. */
void retire_stop(struct retire *r, int64_t within_ms);

#endif
