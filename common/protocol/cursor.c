#include "common/protocol/cursor.h"

#include <errno.h>
#include <string.h>

#include "common/base/siphash.h"
#include "common/protocol/base64url.h"

/* Numbers are written in base 64, the most significant digit first: nothing in
 * it that JSON or a URL would escape, and no dot. */
#define STREAM_BITS 48
#define STREAM_DIGITS (STREAM_BITS / BASE64URL_BITS)
#define NUMBER_DIGITS 10	/* of 60 bits: any time, and no overflow */

uint64_t cursor_stream_id(struct slice sender_id, struct slice match_id,
			  struct slice src)
{
	/* Offsets live in clients: these never change. */
	uint64_t key[2] = { UINT64_C(0x70616972), UINT64_C(0x77697265) };

	/* A hash of each part keys the next one's: no part runs into another. */
	key[0] = siphash13(key, sender_id.p, sender_id.n);
	key[0] = siphash13(key, match_id.p, match_id.n);
	return siphash13(key, src.p, src.n) >> (64 - STREAM_BITS);
}

static void write_digits(struct buf *out, uint64_t v, unsigned n)
{
	char text[NUMBER_DIGITS];

	for (unsigned i = n; i > 0; i--, v >>= BASE64URL_BITS)
		text[i - 1] = base64url_digits[v & 63];
	buf_add(out, text, n);
}

static void write_number(struct buf *out, uint64_t v)
{
	unsigned n = 1;

	while (n < NUMBER_DIGITS && v >> (n * BASE64URL_BITS) != 0)
		n++;
	write_digits(out, v, n);
}

/* Keeps the newest in out[]. */
static unsigned choose(int64_t floor, const struct cursor_stream *streams,
		       size_t n, struct cursor_stream out[CURSOR_STREAMS])
{
	unsigned chosen = 0, oldest = 0;

	for (size_t i = 0; i < n; i++) {
		if (streams[i].pos <= floor)
			continue;
		if (chosen < CURSOR_STREAMS) {
			out[chosen++] = streams[i];
			continue;
		}
		for (unsigned j = 0; j < chosen; j++)
			if (out[j].pos < out[oldest].pos)
				oldest = j;
		if (out[oldest].pos < streams[i].pos)
			out[oldest] = streams[i];
	}
	return chosen;
}

void cursor_write(struct buf *out, int64_t floor,
		  const struct cursor_stream *streams, size_t n)
{
	struct cursor_stream kept[CURSOR_STREAMS];
	unsigned nkept = choose(floor, streams, n, kept);

	buf_add(out, "1.", 2);
	write_number(out, (uint64_t)floor);
	for (unsigned i = 0; i < nkept; i++) {
		buf_addc(out, '.');
		write_digits(out, kept[i].id, STREAM_DIGITS);
		write_number(out, (uint64_t)(kept[i].pos - floor));
	}
}

/* Digits from *at up to a dot or the end, as they are written: at least one, no
 * leading zero. */
static bool read_number(const char **at, const char *end, int64_t *out)
{
	const char *p = *at;
	uint64_t v = 0;

	while (p < end && *p != '.') {
		int d = base64url_value(*p);

		if (d < 0 || p - *at >= NUMBER_DIGITS)
			return false;
		v = v << BASE64URL_BITS | (uint64_t)d;
		p++;
	}
	if (p == *at || (**at == base64url_digits[0] && p - *at > 1))
		return false;
	*at = p;
	*out = (int64_t)v;
	return true;
}

static bool read_stream(const char **at, const char *end, int64_t floor,
			struct cursor_stream *out)
{
	int64_t distance;

	out->id = 0;
	if (end - *at < STREAM_DIGITS)
		return false;
	for (unsigned i = 0; i < STREAM_DIGITS; i++, (*at)++) {
		int d = base64url_value(**at);

		if (d < 0)
			return false;
		out->id = out->id << BASE64URL_BITS | (uint64_t)d;
	}
	if (!read_number(at, end, &distance) || distance == 0)
		return false;
	out->pos = floor + distance;
	return true;
}

int cursor_read(struct slice text, struct cursor *out)
{
	const char *at, *end;
	struct cursor c = { 0 };

	if (text.n < 2 || memcmp(text.p, "1.", 2) != 0)
		return -EBADMSG;
	at = text.p + 2;
	end = text.p + text.n;
	if (!read_number(&at, end, &c.floor))
		return -EBADMSG;
	while (at < end) {
		at++;	/* the dot */
		if (c.n == CURSOR_STREAMS ||
		    !read_stream(&at, end, c.floor, &c.streams[c.n]))
			return -EBADMSG;
		c.n++;
	}
	*out = c;
	return 0;
}
