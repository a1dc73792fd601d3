/* One HTTP/2 connection: dialled, TLS, the peer's SETTINGS, then requests as
 * streams until it is drained or lost. It never writes while it reads: frames
 * leave once per turn of the loop (LOOP_WRITE), and no more are made than the
 * peer takes. The client's, and h2_stream.c's, which holds nghttp2's side of it. */
#ifndef PW_PUSHD_H2_CONN_H
#define PW_PUSHD_H2_CONN_H

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include "common/backend/backoff.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/loop/loop.h"

struct bufferevent;
struct h2_call;
struct h2_conn;
struct h2_dial;

#define H2_OUTPUT_MAX 262144	/* bytes made and not yet taken by the socket */
#define H2_STREAMS_MAX 1000	/* at a time, whatever the peer allows */

/* None of these may call back into the connection; tasks do. */
struct h2_conn_ops {
	void (*open)(void *arg, struct h2_conn *c);
	/* h2_conn_room() may have become more. */
	void (*room)(void *arg);
	/* The call ended: err as of h2_cb. */
	void (*done)(void *arg, struct h2_call *call, int err);
	/* The peer has certainly not processed it: for another connection. */
	void (*back)(void *arg, struct h2_call *call);
	/* No more requests from now on, because of c->why. Those in flight go on. */
	void (*draining)(void *arg, struct h2_conn *c);
	/* It is no more, because of c->why, and has no calls: to be freed by a
	 * LOOP_REAP task. was: the state before. */
	void (*ended)(void *arg, struct h2_conn *c, int was);
};

struct h2_conn_conf {
	struct loop *loop;
	SSL_CTX *tls;
	const char *host;
	unsigned port;
	unsigned timeout_ms;	/* until open; of a PING; of silence while requests wait */
	int64_t ping_ms;
	const struct h2_conn_ops *ops;
	void *arg;
};

enum h2_conn_state { H2_DIALING, H2_HANDSHAKE, H2_GREETING, H2_OPEN, H2_DRAINING, H2_ENDED };

struct h2_conn {
	struct list node;	/* the client's */
	const struct h2_conn_conf *conf;
	enum h2_conn_state state;
	char why[256];
	struct h2_dial *dial;
	struct bufferevent *bev;
	SSL *ssl;		/* bev's */
	nghttp2_session *session;
	struct list calls;	/* in flight, in the order of their streams */
	unsigned ncalls;
	unsigned streams;	/* those that were given up, too, until RST_STREAM is sent */
	bool useful;		/* it answered (no 5xx), and did not complain */
	bool proven;		/* a request had an answer of status 2xx */
	struct task flush;
	size_t unsent;		/* bytes of the bodies of calls */
	struct buf batch;	/* of the flush that runs */
	uint64_t packed;	/* bytes of output before it */
	bool blocked;		/* H2_OUTPUT_MAX is reached */
	struct timer timer;	/* until open: for that; then: silence */
	int64_t opened_ms;
	int64_t heard_ms;	/* input came */
	int64_t unanswered_ms;	/* since when requests have had no answer; 0: none */
	int64_t pinged_ms;	/* 0: no PING is out */
	int64_t shut_ms;	/* since when it allows no streams; 0: it does */
	struct timer rest;	/* armed: it refused a stream, and gets none for a while */
	struct backoff refusals;
};

/* conf is borrowed. */
struct h2_conn *h2_conn_new(const struct h2_conn_conf *conf);
/* How many more requests it would take now, the first with a body of so many
 * bytes: it fits into the peer's window (RFC 9113, 5.2), behind what is unsent.
 * Otherwise its headers alone would go, and its time run: and nghttp2 lets a
 * body that the window cut in two wait behind all that come later. */
unsigned h2_conn_room(const struct h2_conn *c, size_t body);
/* True if it may yet take requests, or more of them, once it is open and proven:
 * no reason to open another. */
bool h2_conn_promises(const struct h2_conn *c);
/* There is room. The call is on no list. */
void h2_conn_submit(struct h2_conn *c, struct h2_call *call);
/* Takes the call off; the peer is told. */
void h2_conn_cancel(struct h2_conn *c, struct h2_call *call);
/* Calls are given back or done, in the caller's stack. Not within nghttp2. */
void h2_conn_end(struct h2_conn *c, const char *fmt, ...) PRINTF(2, 3);
/* It has no calls. NULLs *c. Not from within its callbacks. */
void h2_conn_free(struct h2_conn **c);

/* For h2_stream.c. No more requests: those that are still here go back. */
void h2_conn_drain(struct h2_conn *c, const char *fmt, ...) PRINTF(2, 3);
/* The call is no longer in flight; its stream is not the call's any more. */
void h2_conn_detach(struct h2_conn *c, struct h2_call *call);

/* h2_stream.c: the session with its callbacks, the client's preface queued.
 * 0, or an error of nghttp2. */
int h2_stream_session(struct h2_conn *c) MUST_CHECK;
int h2_stream_open(struct h2_conn *c, struct h2_call *call) MUST_CHECK;

#endif
