/* The body of an HTTP/1.1 request, as its head frames it: none, Content-Length
 * or chunked (RFC 9112 6 and 7.1). As strict as the head: CRLF only, chunk sizes
 * of 1 to 8 hex digits; chunk extensions and trailers are read over, bounded,
 * and must be well-formed, without optional whitespace around ';' and '='.
 * Pure. */
#ifndef PW_HTTP_BODY_H
#define PW_HTTP_BODY_H

#include "common/base/buf.h"
#include "common/protocol/http_head.h"

struct http_body {
	uint64_t left;		/* of the length, or of this chunk */
	size_t total;		/* bytes of the body so far */
	uint32_t overhead;	/* extensions and trailers so far */
	uint8_t state;
	uint8_t digits;		/* of this chunk's size */
};

/* 0; -ENOTSUP: a transfer coding other than chunked (answer 501 and close);
 * -EBADMSG: a framing that cannot be trusted (400 and close). */
int http_body_begin(const struct http_head *h, struct http_body *out) MUST_CHECK;
/* True when there is nothing (more) to read. */
bool http_body_done(const struct http_body *b);
/* Reads on from `in` (which may be empty), appends what is body to out, gives the bytes used.
 * 0 (look at http_body_done); -EBADMSG: malformed; -EFBIG: more than max bytes
 * of body in all, known as early as the framing tells it. After an error the
 * connection cannot be used any more. */
int http_body_read(struct http_body *b, struct slice in, struct buf *out,
		   size_t max, size_t *used_out) MUST_CHECK;

#endif
