#include "common/base/utf8.h"

#include <string.h>

/* Bytes of the character that starts at p; 0: none does. (RFC 3629 4) */
static size_t character(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;	/* of the second byte */
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

bool utf8_valid(struct slice text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i = 0;

	while (i < text.n) {
		uint64_t eight;
		size_t len;

		if (text.n - i >= sizeof(eight)) {
			memcpy(&eight, p + i, sizeof(eight));
			if ((eight & 0x8080808080808080u) == 0) {
				i += sizeof(eight);
				continue;
			}
		}
		len = character(p + i, text.n - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

void utf8_clean(char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n;) {
		size_t len = character((unsigned char *)text + i, n - i);

		if (len == 0)
			text[i] = '?';
		i += len > 0 ? len : 1;
	}
}
