#include "common/protocol/msgpack_claims.h"

/* What an object's first byte says (MessagePack's specification, "Formats"). */
struct shape {
	unsigned length;	/* bytes of the number behind it */
	unsigned fixed;		/* bytes of content besides */
	unsigned objects;	/* times that number: objects it holds */
	bool content;		/* that number: bytes of content */
};

static struct shape shape_of(unsigned char c)
{
	static const unsigned char wide[] = { 1, 2, 4 };

	if (c >= 0xc4 && c <= 0xc6)		/* bin 8, 16, 32 */
		return (struct shape){ wide[c - 0xc4], 0, 0, true };
	if (c >= 0xc7 && c <= 0xc9)		/* ext 8, 16, 32 */
		return (struct shape){ wide[c - 0xc7], 1, 0, true };
	if (c == 0xca || c == 0xcb)		/* float 32, 64 */
		return (struct shape){ .fixed = c == 0xca ? 4 : 8 };
	if (c >= 0xcc && c <= 0xcf)		/* uint 8, 16, 32, 64 */
		return (struct shape){ .fixed = 1u << (c - 0xcc) };
	if (c >= 0xd0 && c <= 0xd3)		/* int 8, 16, 32, 64 */
		return (struct shape){ .fixed = 1u << (c - 0xd0) };
	if (c >= 0xd4 && c <= 0xd8)		/* fixext 1, 2, 4, 8, 16 */
		return (struct shape){ .fixed = 1 + (1u << (c - 0xd4)) };
	if (c >= 0xd9 && c <= 0xdb)		/* str 8, 16, 32 */
		return (struct shape){ wide[c - 0xd9], 0, 0, true };
	if (c == 0xdc || c == 0xdd)		/* array 16, 32 */
		return (struct shape){ wide[c - 0xdc + 1], 0, 1, false };
	if (c == 0xde || c == 0xdf)		/* map 16, 32 */
		return (struct shape){ wide[c - 0xde + 1], 0, 2, false };
	return (struct shape){ 0 };
}

bool msgpack_claims_fit(struct slice in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	const unsigned char *end = p + in.n;
	uint64_t objects = 1;	/* still to come */

	while (objects > 0) {
		struct shape s;
		uint64_t n = 0;
		unsigned char c;

		if (objects > (uint64_t)(end - p))
			return false;
		c = *p++;
		s = shape_of(c);
		if ((uint64_t)(end - p) < s.length)
			return false;
		for (unsigned i = 0; i < s.length; i++)
			n = n << 8 | *p++;
		if (c >= 0x80 && c <= 0x8f)	/* fixmap, fixarray, fixstr */
			objects += 2u * (c & 0x0f);
		else if (c >= 0x90 && c <= 0x9f)
			objects += c & 0x0f;
		else if (c >= 0xa0 && c <= 0xbf)
			s.fixed = c & 0x1f;
		objects += s.objects * n - 1;
		n = s.fixed + (s.content ? n : 0);
		if ((uint64_t)(end - p) < n)
			return false;
		p += n;
	}
	return true;
}
