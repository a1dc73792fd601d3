#include "common/protocol/base64url.h"

#include <errno.h>

const char base64url_digits[64] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int base64url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

ssize_t base64url_decode(struct slice text, void *out, size_t room)
{
	size_t len = text.n / 4 * 3 + text.n % 4 * 3 / 4;
	unsigned char *to = out;
	uint32_t bits = 0;
	unsigned n = 0;		/* of bits that are not out yet */

	if (text.n % 4 == 1 || len > room)
		return -EBADMSG;
	for (size_t i = 0; i < text.n; i++) {
		int v = base64url_value(text.p[i]);

		if (v < 0)
			return -EBADMSG;
		bits = bits << BASE64URL_BITS | (unsigned)v;
		n += BASE64URL_BITS;
		if (n >= 8) {
			n -= 8;
			*to++ = (unsigned char)(bits >> n);
		}
	}
	/* the last digit's spare bits */
	return (bits & ((1u << n) - 1)) == 0 ? (ssize_t)len : -EBADMSG;
}

void base64url_encode(struct buf *out, struct slice bytes)
{
	uint32_t bits = 0;
	unsigned n = 0;

	for (size_t i = 0; i < bytes.n; i++) {
		bits = bits << 8 | (unsigned char)bytes.p[i];
		for (n += 8; n >= BASE64URL_BITS; ) {
			n -= BASE64URL_BITS;
			buf_addc(out, base64url_digits[bits >> n & 63]);
		}
	}
	if (n > 0)
		buf_addc(out, base64url_digits[bits << (BASE64URL_BITS - n) & 63]);
}
