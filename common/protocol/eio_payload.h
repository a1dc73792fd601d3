/* Engine.IO v4 payloads of long-polling: packets joined by 0x1e, a binary
 * message as "b" and its base64. Pure. (socketio.md 3) */
#ifndef PW_EIO_PAYLOAD_H
#define PW_EIO_PAYLOAD_H

#include "common/base/buf.h"

/* Takes the next packet off the front of *rest: a text frame as on a WebSocket
 * ("4hello"; borrowed from *rest), or a binary message's bytes (decoded into
 * scratch, valid until the next call). Begin with the whole body; an empty body
 * is malformed, and so is an empty packet. 1: got one; 0: none left; -EBADMSG. */
int eio_payload_next(struct slice *rest, struct buf *scratch,
		     struct slice *frame_out, bool *binary_out) MUST_CHECK;
/* Appends a packet, with the separator when out is not empty. */
void eio_payload_add(struct buf *out, struct slice packet, bool binary);

#endif
