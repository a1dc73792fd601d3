#include "pushd/json_text.h"

#include <float.h>

#include "tests/unit/protocol/exact.h"

static const struct {
	const char *json, *plain, *full;	/* NULL: none */
} rows[] = {
	{ "\"a\\n\\\"\"", "a\n\"", "\"a\\n\\\"\"" },
	{ "\"\"", "", "\"\"" },
	{ "0", "0", "0" },
	{ "-9223372036854775808", "-9223372036854775808", "-9223372036854775808" },
	{ "1.0", "1", "1" }, { "-2e3", "-2000", "-2000" },
	{ "0.1", "0.1", "0.1" }, { "1.1e-7", "1.1e-07", "1.1e-07" },
	{ "0.30000000000000004", "0.30000000000000004", "0.30000000000000004" },
	{ "1e300", "1e+300", "1e+300" },
	{ "true", "true", "true" }, { "false", "false", "false" },
	{ "null", NULL, "null" },
	{ "[]", NULL, "[]" }, { "{}", NULL, "{}" },
	{ "[1, null, [true, \"\\u00e4\\u0000\"], {\"a\": {}, \"b\\\"\": 0.5}]", NULL,
	  "[1,null,[true,\"\xc3\xa4\\u0000\"],{\"a\":{},\"b\\\"\":0.5}]" },
};

static json_t *value(const char *json)
{
	json_t *v = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	cr_assert_not_null(v, "%s", json);
	return v;
}

Test(json_text, values)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *v = value(rows[i].json);
		struct buf b = { 0 };

		cr_expect_eq(json_text_plain(v, &b), rows[i].plain != NULL);
		cr_expect_str_eq(buf_str(&b),
				 rows[i].plain != NULL ? rows[i].plain : "");
		buf_clear(&b);
		cr_expect(json_text(v, SIZE_MAX, &b));
		cr_expect_str_eq(buf_str(&b), rows[i].full);
		buf_free(&b);
		json_decref(v);
	}
}

Test(json_text, limits)
{
	static const struct {
		const char *json;
		size_t max;
		const char *want;	/* NULL: nothing */
	} limits[] = {
		{ "[\"a\",\"b\",\"c\"]", 13, "[\"a\",\"b\",\"c\"]" },
		{ "[\"a\",\"b\",\"c\"]", 12, "[\"a\",\"b\"]" },
		{ "[\"a\",\"b\",\"c\"]", 9, "[\"a\",\"b\"]" },
		{ "[\"a\",\"b\",\"c\"]", 8, "[\"a\"]" },
		{ "[\"a\",\"b\",\"c\"]", 5, "[\"a\"]" },
		{ "[\"a\",\"b\",\"c\"]", 4, "[]" },
		{ "[\"a\",\"b\",\"c\"]", 2, "[]" },
		{ "[\"a\",\"b\",\"c\"]", 1, NULL },
		{ "{\"a\":1}", 7, "{\"a\":1}" }, { "{\"a\":1}", 6, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		json_t *v = value(limits[i].json);
		struct buf b = { 0 };

		buf_adds(&b, "x");
		cr_expect_eq(json_text(v, limits[i].max, &b),
			     limits[i].want != NULL, "row %zu", i);
		cr_expect_str_eq(buf_str(&b) + 1,
				 limits[i].want != NULL ? limits[i].want : "");
		buf_free(&b);
		json_decref(v);
	}
}
