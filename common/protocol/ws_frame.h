/* WebSocket frames (RFC 6455 section 5). The server's side writes unmasked
 * frames for lws's raw write; the client's side (pairwire-bench) writes masked
 * ones and reads the server's. Pure. */
#ifndef PW_WS_FRAME_H
#define PW_WS_FRAME_H

#include "common/base/buf.h"

enum ws_opcode {
	WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8,
	WS_PING = 9, WS_PONG = 10
};
#define WS_HEAD_MAX 14

/* Appends the header of a final, unmasked frame of n payload bytes. */
void ws_frame_head(struct buf *out, enum ws_opcode op, size_t n);
/* Appends a whole final frame, masked with mask. */
void ws_frame_masked(struct buf *out, enum ws_opcode op, struct slice payload,
		     uint32_t mask);

struct ws_frame {
	enum ws_opcode op;
	bool final;
	struct slice payload;	/* unmasked server frame */
};
/* One frame from the server at the start of in. Bytes used, 0 when more are
 * needed, -EBADMSG, -EMSGSIZE past max. */
long ws_frame_parse(struct slice in, size_t max, struct ws_frame *out) MUST_CHECK;
/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 1.3). */
void ws_accept(struct slice key, char out[29]);

#endif
