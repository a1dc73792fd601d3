/* permessage-deflate (RFC 7692), the server's side, without context takeover in
 * either direction: each message stands alone, so that one pair of zlib streams
 * serves all connections and a connection costs nothing. No input or output. */
#ifndef PW_WS_DEFLATE_H
#define PW_WS_DEFLATE_H

#include "common/base/buf.h"

struct ws_deflate;

/* What is agreed to when ws_deflate_offered(); a server may ask for both,
 * offered or not (7.1.1). */
#define WS_DEFLATE_NAME "permessage-deflate"
#define WS_DEFLATE_ANSWER \
	WS_DEFLATE_NAME "; server_no_context_takeover; client_no_context_takeover"

/* One of the offers in a Sec-WebSocket-Extensions can be taken: it asks for
 * nothing that is not kept here, such as a smaller window of ours. */
bool ws_deflate_offered(struct slice extensions);

struct ws_deflate *ws_deflate_new(void);
void ws_deflate_free(struct ws_deflate **d);
/* Shorter messages are not worth it. */
#define WS_DEFLATE_MIN 1024
/* Replaces out by message as it goes into a frame with RSV1. */
void ws_deflate_pack(struct ws_deflate *d, struct slice message, struct buf *out);
/* Replaces out by the message whose frames' payloads in is. 0, -EBADMSG, or
 * -EMSGSIZE: more than max bytes, of which no more were unpacked. */
int ws_deflate_unpack(struct ws_deflate *d, struct slice in, size_t max,
		      struct buf *out) MUST_CHECK;
/* No honest message of n bytes is larger in frames (stored, in small blocks). */
static inline size_t ws_deflate_bound(size_t n)
{
	return n + n / 64 + 64;
}

#endif
