#include "common/protocol/json_out.h"

#include <string.h>

#include "common/base/clock.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* High bit set in some byte of the result if a byte of v is zero. */
static inline uint64_t zero_byte(uint64_t v)
{
	return (v - ONES) & ~v & HIGHS;
}

static inline bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

/* Length of the run at p that can be copied as it is. Eight bytes at a time:
 * chat text rarely has anything to escape. */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		uint64_t v;

		memcpy(&v, p + i, 8);
		if (zero_byte(v ^ ONES * '"') || zero_byte(v ^ ONES * '\\') ||
		    ((v - ONES * 0x20) & ~v & HIGHS) != 0)
			break;
	}
	while (i < n && !needs_escape((unsigned char)p[i]))
		i++;
	return i;
}

static void escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char shorts[] = "btn\0fr";	/* 0x08 … 0x0d; no \v in JSON */
	char out[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (c == '"' || c == '\\') {
		out[1] = (char)c;
	} else if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
		out[1] = shorts[c - 0x08];
	} else {
		buf_add(b, out, 6);
		return;
	}
	buf_add(b, out, 2);
}

void json_out_str(struct buf *b, const char *p, size_t n)
{
	buf_reserve(b, n + 2);
	b->p[b->len++] = '"';
	while (n > 0) {
		size_t run = plain_run(p, n);

		buf_add(b, p, run);
		if (run == n)
			break;
		escape(b, (unsigned char)p[run]);
		p += run + 1;
		n -= run + 1;
	}
	buf_addc(b, '"');
}

void json_out_cstr(struct buf *b, const char *s)
{
	json_out_str(b, s, strlen(s));
}

void json_out_int(struct buf *b, int64_t v)
{
	char text[20];
	size_t at = sizeof(text);
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do {
		text[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u != 0);
	if (v < 0)
		text[--at] = '-';
	buf_add(b, text + at, sizeof(text) - at);
}

void json_out_time(struct buf *b, int64_t ms)
{
	/* Nearly all times written in a row share their second. */
	static _Thread_local char text[TIME_ISO_LEN + 1];
	static _Thread_local int64_t text_s = -1;
	unsigned rest = (unsigned)(ms % 1000);

	if (ms < 0 || ms / 1000 != text_s) {
		time_iso(ms, text);
		text_s = ms / 1000;
	}
	buf_reserve(b, TIME_ISO_LEN + 2);
	b->p[b->len++] = '"';
	buf_add(b, text, TIME_ISO_LEN);
	if (ms >= 0) {
		char *frac = b->p + b->len - 4;	/* "678Z" */

		frac[0] = (char)('0' + rest / 100);
		frac[1] = (char)('0' + rest / 10 % 10);
		frac[2] = (char)('0' + rest % 10);
	}
	buf_addc(b, '"');
}
