#include "common/protocol/ws_frame.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#define FIN 0x80u
#define RSV 0x70u
#define MASKED 0x80u
#define CONTROL_MAX 125

static bool is_control(enum ws_opcode op)
{
	return op >= WS_CLOSE;
}

static void put_big_endian(unsigned char *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, v >>= 8)
		p[i] = (unsigned char)v;
}

static uint64_t get_big_endian(const unsigned char *p, int bytes)
{
	uint64_t v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static void write_head(struct buf *out, enum ws_opcode op, size_t n,
		       unsigned mask_bit)
{
	unsigned char *h;

	buf_reserve(out, WS_HEAD_MAX);
	h = (unsigned char *)out->p + out->len;
	h[0] = (unsigned char)(FIN | (unsigned)op);
	if (n <= 125) {
		h[1] = (unsigned char)(mask_bit | n);
		out->len += 2;
	} else if (n <= 0xffff) {
		h[1] = (unsigned char)(mask_bit | 126);
		put_big_endian(h + 2, n, 2);
		out->len += 4;
	} else {
		h[1] = (unsigned char)(mask_bit | 127);
		put_big_endian(h + 2, n, 8);
		out->len += 10;
	}
}

void ws_frame_head(struct buf *out, enum ws_opcode op, size_t n)
{
	write_head(out, op, n, 0);
}

void ws_frame_masked(struct buf *out, enum ws_opcode op, struct slice payload,
		     uint32_t mask)
{
	uint64_t wide;
	unsigned char key[8];
	size_t i = 0;
	char *to;

	buf_reserve(out, WS_HEAD_MAX + payload.n);
	write_head(out, op, payload.n, MASKED);
	memcpy(key, &mask, 4);
	memcpy(key + 4, &mask, 4);
	memcpy(&wide, key, 8);
	buf_add(out, key, 4);
	to = out->p + out->len;
	for (; payload.n - i >= 8; i += 8) {
		uint64_t v;

		memcpy(&v, payload.p + i, 8);
		v ^= wide;
		memcpy(to + i, &v, 8);
	}
	for (; i < payload.n; i++)
		to[i] = (char)((unsigned char)payload.p[i] ^ key[i % 4]);
	out->len += payload.n;
}

static bool known_opcode(unsigned op)
{
	return op <= WS_BINARY || (op >= WS_CLOSE && op <= WS_PONG);
}

/* The bytes of the extended length, and the rule that the shortest form is
 * used (5.2). */
static bool length_is_shortest(unsigned short_form, uint64_t n)
{
	if (short_form == 126)
		return n > 125;
	if (short_form == 127)
		return n > 0xffff && n >> 63 == 0;
	return true;
}

long ws_frame_parse(struct slice in, size_t max, struct ws_frame *out)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t head = 2;
	unsigned short_form;
	uint64_t n;

	if (in.n >= 1 && ((p[0] & RSV) != 0 || !known_opcode(p[0] & 0x0f)))
		return -EBADMSG;
	if (in.n < 2)
		return 0;
	if ((p[1] & MASKED) != 0)	/* a server never masks (5.1) */
		return -EBADMSG;
	short_form = p[1] & 0x7f;
	n = short_form;
	if (is_control((enum ws_opcode)(p[0] & 0x0f)) &&
	    ((p[0] & FIN) == 0 || n > CONTROL_MAX))
		return -EBADMSG;
	if (short_form >= 126) {
		int bytes = short_form == 126 ? 2 : 8;

		head += (size_t)bytes;
		if (in.n < head)
			return 0;
		n = get_big_endian(p + 2, bytes);
		if (!length_is_shortest(short_form, n))
			return -EBADMSG;
	}
	if ((p[0] & 0x0f) == WS_CLOSE && n == 1)	/* half a code (5.5.1) */
		return -EBADMSG;
	if (n > max)
		return -EMSGSIZE;
	if (in.n - head < n)
		return 0;
	out->op = (enum ws_opcode)(p[0] & 0x0f);
	out->final = (p[0] & FIN) != 0;
	out->payload = (struct slice){ in.p + head, (size_t)n };
	return (long)(head + n);
}

void ws_accept(struct slice key, char out[29])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct buf text = { 0 };

	buf_add(&text, key.p, key.n);
	buf_adds(&text, guid);
	SHA1((const unsigned char *)text.p, text.len, digest);
	EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
	buf_free(&text);
}
