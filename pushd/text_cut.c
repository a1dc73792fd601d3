#include "pushd/text_cut.h"

#define STEPS_BACK 16	/* code points; then a cluster is torn */

#define ZWJ 0x200d

/* Joined to what stands before: the common ones of Grapheme_Extend, emoji
 * modifiers and tags (UAX 29, GB9). */
static const struct {
	uint32_t first, last;
} extenders[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd },
	{ 0x064b, 0x065f }, { 0x093a, 0x094d }, { 0x0e31, 0x0e31 },
	{ 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff }, { 0x200c, 0x200d }, { 0x20d0, 0x20ff },
	{ 0x302a, 0x302f }, { 0x3099, 0x309a }, { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f }, { 0x1f3fb, 0x1f3ff }, { 0xe0020, 0xe007f },
	{ 0xe0100, 0xe01ef },
};

static bool extends(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_SIZE(extenders); i++) {
		if (c >= extenders[i].first && c <= extenders[i].last)
			return true;
	}
	return false;
}

static bool regional(uint32_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The code point that starts at p. */
static uint32_t at(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] < 0x80)
		return u[0];
	if (u[0] < 0xe0)
		return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
	if (u[0] < 0xf0)
		return (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 |
		       (u[2] & 0x3fu);
	return (u[0] & 7u) << 18 | (u[1] & 0x3fu) << 12 |
	       (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
}

static size_t before(struct slice text, size_t i)
{
	while (i > 0 && continues(text.p[--i]))
		;
	return i;
}

/* Between the two halves of a flag: an odd number of them stands before. */
static bool inside_flag(struct slice text, size_t i)
{
	size_t count = 0;

	while (i > 0 && regional(at(text.p + before(text, i)))) {
		i = before(text, i);
		count++;
	}
	return count % 2 == 1;
}

/* Is there a character's end at i, where a code point starts? */
static bool boundary(struct slice text, size_t i)
{
	uint32_t next = at(text.p + i), last;

	if (i == 0)
		return true;
	last = at(text.p + before(text, i));
	if (extends(next) || last == ZWJ || (last == '\r' && next == '\n'))
		return false;
	return !regional(next) || !regional(last) || !inside_flag(text, i);
}

size_t text_cut(struct slice text, size_t max)
{
	size_t end = max, i;

	if (max >= text.n)
		return text.n;
	while (end > 0 && continues(text.p[end]))
		end--;
	i = end;
	for (int steps = 0; steps < STEPS_BACK; steps++) {
		if (boundary(text, i))
			return i;
		i = before(text, i);
	}
	return end;
}
