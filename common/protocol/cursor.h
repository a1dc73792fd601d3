/* A client's place in what it is sent (design 3.2a, M6): the offset of Socket.IO's
 * connection state recovery. Opaque to clients:
 *
 *   1.<P>[.<stream><distance>]…     at most SIO_OFFSET_MAX bytes
 *
 * P in µs: everything up to it that concerns the user was sent (or confirmed by
 * another of his devices). Of each stream - (sender, match, src) - from which
 * something newer was sent, the last pos: 48 bits that name the stream, and pos
 * minus P. At most CURSOR_STREAMS of them, the newest: leaving one out costs a
 * repeated message, never a lost one. Pure codec. */
#ifndef PW_CURSOR_H
#define PW_CURSOR_H

#include "common/base/buf.h"

#define CURSOR_STREAMS 16

struct cursor_stream {
	uint64_t id;		/* of 48 bits */
	int64_t pos;		/* µs */
};
struct cursor {
	int64_t floor;		/* P */
	unsigned n;
	struct cursor_stream streams[CURSOR_STREAMS];
};

/* The same on every host and in every version. */
uint64_t cursor_stream_id(struct slice sender_id, struct slice match_id,
			  struct slice src);
/* Appends the text. streams: n of them in any order; those up to floor are left
 * out, as are the oldest when there are more than fit. */
void cursor_write(struct buf *out, int64_t floor,
		  const struct cursor_stream *streams, size_t n);
/* 0, or -EBADMSG: not an offset of ours (or of a version to come). */
int cursor_read(struct slice text, struct cursor *out) MUST_CHECK;

#endif
