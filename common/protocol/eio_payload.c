#include "common/protocol/eio_payload.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

#define SEPARATOR '\x1e'

/* Where *rest points behind the last packet: a payload that ends in a separator
 * or is empty has no bytes left either, and is malformed. */
static const char none_left[1];

/* A base64 digit's value plus one; 0: not a digit. */
static const uint8_t digit[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,
	['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26,
	['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38,
	['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,
	['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50,
	['y'] = 51, ['z'] = 52,
	['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58,
	['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* Four digits as 24 bits; false: one of them is none. */
static bool group(const uint8_t *in, uint32_t *bits_out)
{
	uint32_t a = digit[in[0]], b = digit[in[1]];
	uint32_t c = digit[in[2]], d = digit[in[3]];

	*bits_out = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
	return a != 0 && b != 0 && c != 0 && d != 0;
}

/* RFC 4648 4, as strict as its 3.3 and 3.5 allow: no other characters, padding
 * always, and the bits that it leaves over are zero. One text per value. */
static int base64_decode(struct slice in, struct buf *out)
{
	const uint8_t *p = (const uint8_t *)in.p;
	size_t pad = 0, whole;
	uint8_t last[4];
	uint32_t bits;
	uint8_t *to;

	buf_clear(out);
	if (in.n == 0)
		return 0;
	if (in.n % 4 != 0)
		return -EBADMSG;
	if (p[in.n - 1] == '=')
		pad = p[in.n - 2] == '=' ? 2 : 1;
	whole = in.n / 4 - (pad != 0);
	buf_reserve(out, in.n / 4 * 3);
	to = (uint8_t *)out->p;
	for (size_t i = 0; i < whole; i++, p += 4, to += 3) {
		if (!group(p, &bits))
			return -EBADMSG;
		to[0] = (uint8_t)(bits >> 16);
		to[1] = (uint8_t)(bits >> 8);
		to[2] = (uint8_t)bits;
	}
	if (pad != 0) {
		memcpy(last, p, 4);
		memset(last + 4 - pad, 'A', pad);	/* zero bits */
		if (!group(last, &bits) || (bits & ((1U << 8 * pad) - 1)) != 0)
			return -EBADMSG;
		*to++ = (uint8_t)(bits >> 16);
		if (pad == 1)
			*to++ = (uint8_t)(bits >> 8);
	}
	out->len = (size_t)(to - (uint8_t *)out->p);
	return 0;
}

int eio_payload_next(struct slice *rest, struct buf *scratch,
		     struct slice *frame_out, bool *binary_out)
{
	struct slice packet = *rest;
	const char *end;

	if (rest->p == none_left)
		return 0;
	end = packet.n != 0 ? memchr(packet.p, SEPARATOR, packet.n) : NULL;
	if (end != NULL)
		packet.n = (size_t)(end - packet.p);
	if (packet.n == 0)
		return -EBADMSG;
	if (packet.p[0] == 'b') {
		struct slice text = { packet.p + 1, packet.n - 1 };

		if (base64_decode(text, scratch) != 0)
			return -EBADMSG;
		*frame_out = buf_slice(scratch);
		*binary_out = true;
	} else {
		*frame_out = packet;
		*binary_out = false;
	}
	if (end != NULL)
		*rest = (struct slice){ end + 1, rest->n - packet.n - 1 };
	else
		*rest = (struct slice){ none_left, 0 };
	return 1;
}

void eio_payload_add(struct buf *out, struct slice packet, bool binary)
{
	if (out->len != 0)
		buf_addc(out, SEPARATOR);
	if (!binary) {
		buf_add(out, packet.p, packet.n);
		return;
	}
	buf_addc(out, 'b');
	/* by pieces of whole groups: OpenSSL counts in int */
	while (packet.n != 0) {
		size_t n = packet.n < 3 << 20 ? packet.n : 3 << 20;

		buf_reserve(out, (n + 2) / 3 * 4 + 1);	/* and its NUL */
		out->len += (size_t)EVP_EncodeBlock(
			(unsigned char *)out->p + out->len,
			(const unsigned char *)packet.p, (int)n);
		packet = (struct slice){ packet.p + n, packet.n - n };
	}
}
