/* What other services of the app publish through Redis with
 * @socket.io/redis-emitter (or a Socket.IO server with the Redis adapter): events
 * in MessagePack, requests in JSON. Pure codec. (socketio.md 10, 11)
 *
 *   [uid, {type: 2, data: [event, …], nsp}, {rooms: […], except: […], flags: {}}]
 *   {"type": 4, "opts": {"rooms": […], "except": […]}, "close": bool}
 *
 * An event becomes the text that clients are sent. Times (MessagePack's
 * timestamps) become ISO strings and NaN becomes null, as JSON.stringify would
 * have it; flags (volatile, compress) are ignored. */
#ifndef PW_EMISSION_H
#define PW_EMISSION_H

#include "common/base/buf.h"

/* Of an emission, and of the frame that comes of it. */
#define EMISSION_MAX (512 * 1024)

/* Sorted, each once. */
struct rooms {
	struct slice *names;
	size_t n;
};
struct emission_to {
	struct rooms rooms;	/* whoever is in one of these; none: all */
	struct rooms except;	/* but those who are in one of these */
	struct buf text;	/* of the names */
};

/* frame is appended to: "42[…]". 0; or to is empty and frame as it was:
 *   -EBADMSG	not an emission, not well-formed, or nested deeper than 32 levels
 *   -EMSGSIZE	longer than EMISSION_MAX
 *   -ENOTSUP	nothing for namespace "/", or not an event, or with a reserved
 *		name or binary data in it */
int emission_decode(struct slice msg, struct emission_to *to, struct buf *frame)
	MUST_CHECK;
/* 0: they are to be disconnected. -ENOTSUP: another request. -EBADMSG. */
int emission_request(struct slice msg, struct emission_to *to) MUST_CHECK;
bool rooms_have(const struct rooms *r, struct slice name);
/* Empty afterwards. */
void emission_to_free(struct emission_to *to);

#endif
