/* What a session writes to: one client's byte stream, WebSocket or polling.
 * Calls go down by the ops, up by the session's functions. The session calls
 * flush, close and left from the loop's end-of-turn tasks only, never from
 * within a call that a transport made. */
#ifndef PW_TRANSPORT_H
#define PW_TRANSPORT_H

#include "common/base/buf.h"

enum close_reason;
struct outbox;
struct transport;

struct transport_ops {
	const char *name;	/* "websocket", "polling" */
	bool upgradable;	/* the handshake offers a WebSocket */
	/* Takes packets from the front of the outbox while the stream takes
	 * them, in as few writes as it can; when it cannot take more it calls
	 * eio_session_writable() later. 0, or -EPIPE when the stream is dead
	 * (it reports its end itself, later, by eio_session_transport_gone). */
	int (*flush)(struct transport *t, struct outbox *o);
	/* Would take a packet at once. NULL: always. */
	bool (*waiting)(const struct transport *t);
	/* Ends the stream: writes of rest what it takes, then its own sign of
	 * the end, which depends on why. The transport lets go of the session
	 * at once: it calls it no more, and is not called again. */
	void (*close)(struct transport *t, struct outbox *rest,
		      enum close_reason why);
	/* The session has moved to another transport: as close, but nothing of
	 * it ends. NULL: it cannot be left. */
	void (*left)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
};

#endif
