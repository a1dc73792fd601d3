#define _GNU_SOURCE	/* memrchr */
#include "common/protocol/http_body.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define CHUNK_DIGITS 8
/* Extensions and trailers of one body; nobody needs any. */
#define OVERHEAD_MAX 4096

enum body_state {
	BODY_DONE,
	BODY_LENGTH,
	SIZE_FIRST, SIZE, SIZE_LF,
	EXT_NAME_FIRST, EXT_NAME, EXT_VALUE_FIRST, EXT_VALUE,
	EXT_QUOTED, EXT_ESCAPED, EXT_QUOTED_END,
	CHUNK_DATA, CHUNK_CR, CHUNK_LF,
	TRAILER_FIRST, TRAILER_NAME, TRAILER_VALUE, TRAILER_LF,
	LAST_LF,
};

static bool equal_nocase(struct slice s, const char *text)
{
	return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

/* A coding that we could read up to its chunks, if only we knew it. */
static bool chunked_last(struct slice codings)
{
	const char *comma = memrchr(codings.p, ',', codings.n);
	struct slice last = codings;

	if (comma == NULL)
		return false;
	last.p = comma + 1;
	last.n = codings.n - (size_t)(last.p - codings.p);
	while (last.n > 0 && (last.p[0] == ' ' || last.p[0] == '\t'))
		last = (struct slice){ last.p + 1, last.n - 1 };
	return equal_nocase(last, "chunked");
}

int http_body_begin(const struct http_head *h, struct http_body *out)
{
	size_t codings;
	struct slice coding = http_head_field(h, "Transfer-Encoding", &codings);
	struct slice length = http_head_field(h, "Content-Length", NULL);
	struct http_body b = { .state = BODY_DONE };

	if (codings == 1 && equal_nocase(coding, "chunked")) {
		b.state = SIZE_FIRST;
	} else if (codings == 1 && chunked_last(coding)) {
		return -ENOTSUP;
	} else if (codings != 0) {
		return -EBADMSG;
	} else if (length.p != NULL) {
		/* digits only, as many as fit: the head was checked */
		for (size_t i = 0; i < length.n; i++)
			b.left = b.left * 10 + (uint64_t)(length.p[i] - '0');
		if (b.left != 0)
			b.state = BODY_LENGTH;
	}
	*out = b;
	return 0;
}

bool http_body_done(const struct http_body *b)
{
	return b->state == BODY_DONE;
}

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9110 5.6.2 */
static bool is_token(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_value(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* --- one byte of the framing each: the next state, or -1 --- */

static int after_size(unsigned char c)
{
	return c == '\r' ? SIZE_LF : c == ';' ? EXT_NAME_FIRST : -1;
}

static int step_size(struct http_body *b, unsigned char c)
{
	int digit = hex(c);

	if (digit < 0)
		return b->state == SIZE ? after_size(c) : -1;
	if (b->state == SIZE_FIRST) {
		b->left = 0;
		b->digits = 0;
	}
	if (++b->digits > CHUNK_DIGITS)
		return -1;
	b->left = b->left << 4 | (uint64_t)digit;
	return SIZE;
}

/* name, name=token or name="quoted"; without the whitespace that RFC 9112 7.1.1
 * calls bad itself. */
static int step_extension(const struct http_body *b, unsigned char c)
{
	switch (b->state) {
	case EXT_NAME_FIRST:
		return is_token(c) ? EXT_NAME : -1;
	case EXT_NAME:
		return is_token(c) ? EXT_NAME :
		       c == '=' ? EXT_VALUE_FIRST : after_size(c);
	case EXT_VALUE_FIRST:
		return is_token(c) ? EXT_VALUE : c == '"' ? EXT_QUOTED : -1;
	case EXT_VALUE:
		return is_token(c) ? EXT_VALUE : after_size(c);
	case EXT_QUOTED:
		return c == '"' ? EXT_QUOTED_END : c == '\\' ? EXT_ESCAPED :
		       is_value(c) ? EXT_QUOTED : -1;
	case EXT_ESCAPED:
		return is_value(c) ? EXT_QUOTED : -1;
	default:	/* EXT_QUOTED_END */
		return after_size(c);
	}
}

static int step_trailer(const struct http_body *b, unsigned char c)
{
	switch (b->state) {
	case TRAILER_FIRST:
		return is_token(c) ? TRAILER_NAME : c == '\r' ? LAST_LF : -1;
	case TRAILER_NAME:
		return is_token(c) ? TRAILER_NAME : c == ':' ? TRAILER_VALUE : -1;
	case TRAILER_VALUE:
		return is_value(c) ? TRAILER_VALUE : c == '\r' ? TRAILER_LF : -1;
	default:	/* TRAILER_LF */
		return c == '\n' ? TRAILER_FIRST : -1;
	}
}

static int step(struct http_body *b, unsigned char c)
{
	switch (b->state) {
	case SIZE_FIRST:
	case SIZE:
		return step_size(b, c);
	case SIZE_LF:
		return c != '\n' ? -1 : b->left == 0 ? TRAILER_FIRST : CHUNK_DATA;
	case CHUNK_CR:
		return c == '\r' ? CHUNK_LF : -1;
	case CHUNK_LF:
		return c == '\n' ? SIZE_FIRST : -1;
	case LAST_LF:
		return c == '\n' ? BODY_DONE : -1;
	default:
		break;
	}
	if (++b->overhead > OVERHEAD_MAX)
		return -1;
	return b->state >= TRAILER_FIRST ? step_trailer(b, c)
					 : step_extension(b, c);
}

static bool in_data(const struct http_body *b)
{
	return b->state == BODY_LENGTH || b->state == CHUNK_DATA;
}

static size_t take_data(struct http_body *b, struct slice in, struct buf *out)
{
	size_t n = in.n < b->left ? in.n : (size_t)b->left;

	buf_add(out, in.p, n);
	b->left -= n;
	b->total += n;
	if (b->left == 0)
		b->state = b->state == BODY_LENGTH ? BODY_DONE : CHUNK_CR;
	return n;
}

int http_body_read(struct http_body *b, struct slice in, struct buf *out,
		   size_t max, size_t *used_out)
{
	size_t used = 0;

	for (;;) {
		if (in_data(b) && (b->total > max || b->left > max - b->total))
			return -EFBIG;
		if (used == in.n || b->state == BODY_DONE)
			break;
		if (in_data(b)) {
			used += take_data(b, (struct slice){ in.p + used,
							     in.n - used }, out);
		} else {
			int next = step(b, (unsigned char)in.p[used++]);

			if (next < 0)
				return -EBADMSG;
			b->state = (uint8_t)next;
		}
	}
	*used_out = used;
	return 0;
}
