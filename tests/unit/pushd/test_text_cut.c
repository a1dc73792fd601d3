#include "pushd/text_cut.h"

#include "common/base/utf8.h"
#include "tests/unit/protocol/exact.h"

#define ACUTE "e\xcc\x81"		/* e, combining acute */
#define GRIN "\xf0\x9f\x98\x80"
#define THUMB "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd"	/* with a skin tone */
#define FAMILY "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"	/* joined */
#define HEART "\xe2\x9d\xa4\xef\xb8\x8f"	/* with a variation selector */
#define DE "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa"	/* two letters, one flag */

static const struct {
	const char *text;
	size_t max, want;
} rows[] = {
	{ "", 0, 0 }, { "", 9, 0 }, { "abc", 0, 0 }, { "abc", 2, 2 },
	{ "abc", 3, 3 }, { "abc", 4, 3 },
	{ "a\xc3\xa4", 2, 1 }, { "a\xe2\x82\xac", 3, 1 }, { "a" GRIN, 4, 1 },
	{ "a" GRIN "b", 5, 5 },
	{ "a" ACUTE "b", 2, 1 }, { "a" ACUTE "b", 3, 1 }, { "a" ACUTE "b", 4, 4 },
	{ "a" THUMB, 5, 1 }, { "a" THUMB, 8, 1 }, { "a" THUMB, 9, 9 },
	{ "a" FAMILY, 5, 1 }, { "a" FAMILY, 8, 1 }, { "a" FAMILY, 11, 1 },
	{ "a" FAMILY "b", 12, 12 }, { "a" HEART "b", 4, 1 },
	{ DE DE "x", 4, 0 }, { DE DE "x", 8, 8 }, { DE DE "x", 12, 8 },
	{ DE DE "x", 16, 16 }, { "a\r\nb", 2, 1 },
};

Test(text_cut, between_characters)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice s = exact(rows[i].text, strlen(rows[i].text));

		cr_expect_eq(text_cut(s, rows[i].max), rows[i].want,
			     "row %zu: %zu", i, text_cut(s, rows[i].max));
		free((char *)s.p);
	}
}

/* A letter under a heap of accents is torn, but between code points. */
Test(text_cut, heaps_are_torn)
{
	struct buf b = { 0 };
	size_t last = 0;

	buf_addc(&b, 'e');
	for (int i = 0; i < 100; i++)
		buf_adds(&b, "\xcc\x81");
	for (size_t max = 0; max <= b.len; max++) {
		size_t n = text_cut(buf_slice(&b), max);

		cr_expect(n <= max && n >= last);
		cr_expect(utf8_valid((struct slice){ b.p, n }));
		cr_expect(max < 40 || n + 2 > max);
		last = n;
	}
	buf_free(&b);
}
