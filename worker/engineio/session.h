/* An Engine.IO v4 session: sid, heartbeat, outbox, barrier. It outlives its
 * transport (an upgrade changes it) and knows nothing of Socket.IO: upwards it
 * speaks through ops. (socketio.md 2-4; design M2) */
#ifndef PW_EIO_SESSION_H
#define PW_EIO_SESSION_H

#include "common/base/base.h"
#include "common/protocol/ids.h"

struct eio_session;
struct eio_sessions;
struct loop;
struct transport;

/* Every ending has a reason; the statistics' closed_* counters are these. */
enum close_reason {
	CLOSE_CLIENT,		/* the client left: close frame, FIN, reset */
	CLOSE_PING_TIMEOUT,
	CLOSE_PARSE,		/* what it sent was no Engine.IO */
	CLOSE_PROTOCOL,		/* what it sent was no Socket.IO */
	CLOSE_TOO_LARGE,
	CLOSE_AUTH,		/* token expired */
	CLOSE_OUTBOX,		/* does not read */
	CLOSE_SERVER,		/* we are stopping, or it was told to go */
	CLOSE__COUNT
};
const char *close_reason_name(enum close_reason r);

/* Upwards: set once for all sessions. up: what opened() returned. opened() and
 * message() are called as frames come in; a session is never freed before its
 * closed(). */
struct eio_ops {
	void *(*opened)(void *arg, struct eio_session *s);
	/* One message packet, borrowed. */
	void (*message)(void *up, struct slice data, bool binary);
	/* A pong proved that the client read everything up to this mark. */
	void (*confirmed)(void *up, uint32_t mark);
	/* The client asked for something, and has no answer yet. NULL: it never
	 * does. */
	bool (*busy)(void *up);
	/* Last call for this session, at the end of the loop's turn. */
	void (*closed)(void *up, enum close_reason why);
	void *arg;
};

struct eio_conf {
	uint32_t instance;
	unsigned ping_interval_ms, ping_timeout_ms;
	unsigned connect_timeout_ms;	/* eio_session_joined(), _await() */
	unsigned upgrade_timeout_ms;	/* from its WebSocket's opening to "5" */
	size_t max_payload, outbox_limit;
};

struct eio_sessions *eio_sessions_new(struct loop *l, const struct eio_conf *c,
				      const struct eio_ops *ops);
/* Closes what is left (CLOSE_SERVER), at once. Not from within a callback. */
void eio_sessions_free(struct eio_sessions **ss);
/* Other values from now on, also for sessions that are there: connect_timeout_ms,
 * upgrade_timeout_ms, outbox_limit. The rest of c does not count: clients were
 * told. */
void eio_sessions_set_conf(struct eio_sessions *ss, const struct eio_conf *c);
/* Open ones. */
size_t eio_sessions_count(const struct eio_sessions *ss);
/* NULL when there is none (any more). */
struct eio_session *eio_sessions_find(struct eio_sessions *ss, struct slice sid);
/* Closes every session. */
void eio_sessions_close_all(struct eio_sessions *ss, enum close_reason why);
/* Closes n of those to whom nothing is owed (busy()): first whose client
 * answered its last ping, and which will be asked next. */
void eio_sessions_close_some(struct eio_sessions *ss, size_t n,
			     enum close_reason why);

/* --- for transports --- */
/* Handshake done on t: makes the session, queues the open packet. */
struct eio_session *eio_session_open(struct eio_sessions *ss, struct transport *t);
/* A WebSocket came for an open session (its sid was in the request): t is the
 * candidate until the client's "5". Meanwhile the session stays where it is: t
 * answers "2probe" with "3probe", and from then on a poll that has nothing to
 * wait for gets a NOOP, so that the client can stop polling (socketio.md 5).
 * After upgrade_timeout, or another packet than these on t, t is closed and the
 * session goes on as it was. False: the session cannot be upgraded (any more),
 * t is not taken: close it. */
bool eio_session_upgrade(struct eio_session *s, struct transport *t) MUST_CHECK;
/* One frame (text or binary) of the client on t, the session's transport or its
 * candidate; on any other it is ignored. */
void eio_session_frame(struct eio_session *s, struct transport *t,
		       struct slice frame, bool binary);
/* The stream takes bytes again (a poll came). */
void eio_session_writable(struct eio_session *s, struct transport *t);
/* The stream ended; the transport is not called again. Harmless when the
 * session is closing already. A candidate's end leaves the session as it is. */
void eio_session_transport_gone(struct eio_session *s, struct transport *t,
				enum close_reason why);
/* The client broke a rule of the stream: ends the session - or the candidate
 * alone, the session goes on as it was. */
void eio_session_refuse(struct eio_session *s, struct transport *t,
			enum close_reason why);
/* The session's transport; NULL when it is gone. */
struct transport *eio_session_transport(const struct eio_session *s);

/* --- for the layer above --- */
const char *eio_session_sid(const struct eio_session *s);
const char *eio_session_transport_name(const struct eio_session *s);
/* Queues a text frame ("42[…]") or a binary message. Written at the end of the
 * loop's turn. When more than outbox_limit waits and the stream does not take
 * it, the session closes (CLOSE_OUTBOX). False: dropped, for the session is
 * closing already - though one that was taken may still be lost with it. */
bool eio_session_send(struct eio_session *s, struct slice packet, bool binary);
/* The same for one text frame in n pieces. */
bool eio_session_send_pieces(struct eio_session *s, const struct slice *pieces,
			     size_t n);
/* A mark behind everything queued so far. The session follows it with a ping
 * (the barrier: at most one ping outstanding, at most one barrier every 20 ms)
 * and reports confirmed(mark) - or a later mark - when the pong is there. */
uint32_t eio_session_mark(struct eio_session *s);
/* Ends the session: what is queued and the stream still takes is written.
 * closed() comes later in this turn; nothing else comes before it. Closing
 * twice is harmless. */
void eio_session_close(struct eio_session *s, enum close_reason why);
bool eio_session_closing(const struct eio_session *s);
/* The layer above has joined (a namespace is connected): connect_timeout off. */
void eio_session_joined(struct eio_session *s);
/* What the client began it must end within connect_timeout, else the session
 * closes (CLOSE_PROTOCOL). eio_session_joined() when it has. */
void eio_session_await(struct eio_session *s);

#endif
