#include "common/protocol/json_out.h"

#include <jansson.h>

#include "tests/unit/protocol/exact.h"

static void expect(struct buf *b, const char *want)
{
	cr_expect_str_eq(buf_str(b), want);
	buf_clear(b);
}

Test(json_out, strings)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "exactly8", "\"exactly8\"" },
		{ "a \"quoted\" word", "\"a \\\"quoted\\\" word\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"" },
		{ "\x01\x0b\x1f\x7f", "\"\\u0001\\u000b\\u001f\x7f\"" },
		{ "h\xc3\xa9llo \xf0\x9f\x98\x80", "\"h\xc3\xa9llo \xf0\x9f\x98\x80\"" },
		{ "slash / stays", "\"slash / stays\"" },
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_out_cstr(&b, rows[i].in);
		expect(&b, rows[i].want);
	}
	buf_free(&b);
}

/* Every byte at every offset of a longer string, against another reader: the
 * runs are copied eight at a time. */
Test(json_out, every_ascii_byte_at_every_offset)
{
	struct buf b = { 0 };

	for (int c = 0; c < 0x80; c++) {
		for (size_t at = 0; at < 20; at++) {
			char in[20];
			struct slice s;
			json_t *v;

			memset(in, 'x', sizeof(in));
			in[at] = (char)c;
			s = exact(in, sizeof(in));
			buf_clear(&b);
			json_out_str(&b, s.p, s.n);
			v = json_loadb(b.p, b.len,
				       JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			cr_assert(json_is_string(v), "byte %d at %zu", c, at);
			cr_assert_eq(json_string_length(v), sizeof(in));
			cr_assert_arr_eq(json_string_value(v), in, sizeof(in));
			json_decref(v);
			free((char *)s.p);
		}
	}
	buf_free(&b);
}

Test(json_out, integers)
{
	static const struct {
		int64_t in;
		const char *want;
	} rows[] = {
		{ 0, "0" }, { 7, "7" }, { -1, "-1" }, { 1000000, "1000000" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_out_int(&b, rows[i].in);
		expect(&b, rows[i].want);
	}
	buf_free(&b);
}

Test(json_out, times)
{
	static const struct {
		int64_t ms;
		const char *want;
	} rows[] = {
		{ 0, "\"1970-01-01T00:00:00.000Z\"" },
		{ 1767323045678, "\"2026-01-02T03:04:05.678Z\"" },
		{ 1767323045000, "\"2026-01-02T03:04:05.000Z\"" },
		{ 1767323045999, "\"2026-01-02T03:04:05.999Z\"" },
		{ 1767323046000, "\"2026-01-02T03:04:06.000Z\"" },
		{ 1767323045009, "\"2026-01-02T03:04:05.009Z\"" },
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_out_time(&b, rows[i].ms);
		expect(&b, rows[i].want);
	}
	buf_free(&b);
}
