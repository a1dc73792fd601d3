/* WebSocket transport. libwebsockets carries the frames, nested in the loop by
 * way of libuv; ws.c is the only file that knows it (facts: transport.md). */
#ifndef PW_WS_H
#define PW_WS_H

#include "common/base/base.h"

struct eio_session;
struct eio_sessions;
struct loop;
struct ws;

struct ws_conf {
	size_t max_payload;	/* of one message of a client, in bytes; of a
				 * compressed one when it is inflated */
	bool deflate;		/* permessage-deflate with clients that offer it */
};

/* One per process: it nests itself in the loop. A failure to start is fatal. */
struct ws *ws_new(struct loop *l, struct eio_sessions *sessions,
		  const struct ws_conf *c);
/* After eio_sessions_free(), when the loop no longer runs. */
void ws_free(struct ws **w);
/* WebSocket connections, closing ones included. */
size_t ws_count(const struct ws *w);

#define WS_KEY_LEN 24

/* An upgrade request that was checked. Everything is borrowed. */
struct ws_upgrade {
	struct slice key;	/* Sec-WebSocket-Key, WS_KEY_LEN bytes */
	struct slice extensions;	/* Sec-WebSocket-Extensions, or empty */
	struct slice early;	/* what came behind the request */
	struct eio_session *session;	/* to be moved here; NULL: a new one */
};

/* Answers 101 and opens a session on the connection, or offers it to the one
 * that asked for it; when that cannot be upgraded the WebSocket is closed at
 * once, without a code. fd (non-blocking) is taken, whatever comes of it. The
 * session learns of it before this returns. Not from within a session's
 * callback. */
void ws_adopt(struct ws *w, int fd, const struct ws_upgrade *u);

#endif
