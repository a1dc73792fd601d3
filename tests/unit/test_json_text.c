#include "worker/socketio/json_text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

Test(json_text, first)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "[\"1234\",{", "1234" },
		{ "[ \t\r\n\"1234\"", "1234" },
		{ "[\"\"", "" },
		{ "[\"12345\"]", "" },
		{ "[\"\\u0041\\u0042\\u0043\\u0044\"]", "ABCD" },
		{ "[\"\\u0041\\u0042\\u0043\\u0044\\u0045\"]", "" },
		{ "[\"\\\"\\\\\",1]", "\"\\" },
		{ "[\"\xc3\xa4\xc3\xa4\"]", "\xc3\xa4\xc3\xa4" },
		{ "[\"\xc3\xa4\xc3\xa4" "1\"]", "" },
		{ "[\"\x80\"]", "" },
		{ "[\"\n\"]", "" },
		{ "[\"\\x\"]", "" },
		{ "[\"12", "" },
		{ "[\"12\\", "" },
		{ "[\"", "" },
		{ "[", "" },
		{ "[ ", "" },
		{ "[1]", "" },
		{ "[[\"1\"]]", "" },
		{ "[]", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t n = strlen(table[i].in);
		char *in = mem_alloc(n + (n == 0));
		json_t *j;

		memcpy(in, table[i].in, n);
		j = json_text_first((struct slice){ in, n }, 4);
		cr_assert_str_eq(json_string_value(j), table[i].out, "%s",
				 table[i].in);
		json_decref(j);
		free(in);
	}
}

/* in: JSON text; out: what comes of it, written by jansson, or NULL. */
struct row {
	const char *in, *out;
};

static void expect_rows(const struct row *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* its own memory, so that a read past the end shows */
		size_t len = strlen(table[i].in);
		char *in = mem_alloc(len + (len == 0)), *out;
		json_t *j;

		memcpy(in, table[i].in, len);
		j = json_text_load((struct slice){ in, len });
		cr_assert_eq(j != NULL, table[i].out != NULL, "%s", table[i].in);
		cr_assert_eq(memcmp(in, table[i].in, len), 0, "text changed");
		if (j != NULL) {
			out = json_dumps(j, JSON_COMPACT);
			cr_assert_str_eq(out, table[i].out, "%s", table[i].in);
			free(out);
		}
		json_decref(j);
		free(in);
	}
}

#define FFFD "\xef\xbf\xbd"

Test(json_text, surrogates)
{
	static const struct row table[] = {
		{ "[\"\\ud800\"]", "[\"" FFFD "\"]" },
		{ "[\"\\udc00\"]", "[\"" FFFD "\"]" },
		{ "[\"\\uDBFF\\uDBFF\\uDFFF\"]",
		  "[\"" FFFD "\xf4\x8f\xbf\xbf\"]" },
		{ "[\"\\\\ud800\"]", "[\"\\\\ud800\"]" },
		{ "[\"\\\\\\ud800\"]", "[\"\\\\" FFFD "\"]" },
		{ "[\"\\ud800x\"]", "[\"" FFFD "x\"]" },
		{ "[\"\\ud800\\n\"]", "[\"" FFFD "\\n\"]" },
		{ "[\"\\ud800\\u0041\"]", "[\"" FFFD "A\"]" },
		{ "[\"\\ud800\",\"\\ud83d\\ude00\",{\"\\udc00\":\"\\\"\\ud800\"}]",
		  "[\"" FFFD "\",\"\xf0\x9f\x98\x80\",{\"" FFFD "\":\"\\\"" FFFD "\"}]" },
		{ "[\"\\ud8zz\"]", NULL },
		{ "[\"\\ud800", NULL },
		{ "[\"\\ud800\\", NULL },
		{ "[\"\\ud8", NULL },
		{ "[\"\\u", NULL },
		{ "[\"\\", NULL },
		{ "[\"\\u0041\"", NULL },
		{ "[\"\xed\xa0\x80\"]", NULL },	/* as bytes it is no UTF-8 */
	};

	expect_rows(table, ARRAY_SIZE(table));
}

/* A tree keeps NUL in values: the application is to see it. */
Test(json_text, nul)
{
	static const struct row table[] = {
		{ "[\"\\u0000\"]", "[\"\\u0000\"]" },
		{ "[{\"a\\u0000b\":\"c\\u0000d\"}]",
		  "[{\"a" FFFD "b\":\"c\\u0000d\"}]" },
		{ "[{\"\\u0000\\u0000\" \t\r\n: 1}]", "[{\"" FFFD FFFD "\":1}]" },
		{ "[{\"\\\\u0000\\u0000\":1}]", "[{\"\\\\u0000" FFFD "\":1}]" },
		{ "[{\"\\u0000\":1,\"" FFFD "\":2}]", "[{\"" FFFD "\":2}]" },
		{ "[{\"\\u0000\"", NULL },
		{ "[{\"\\u0000\":", NULL },
		{ "[{\"\\u0000", NULL },
	};

	expect_rows(table, ARRAY_SIZE(table));
}

Test(json_text, numbers)
{
	static const struct row table[] = {
		{ "[9007199254740993,-9223372036854775808]",
		  "[9007199254740993,-9223372036854775808]" },
		{ "[9223372036854775808]", "[9.2233720368547758e18]" },
		{ "[100000000000000000000,1]", "[1e20,1.0]" },
		{ "[-100000000000000000000]", "[-1e20]" },
		{ "[1e+21,1.5,-0,0.1,5e-324,1e-400]",
		  "[1e21,1.5,0,0.10000000000000001,4.9406564584124654e-324,0.0]" },
		{ "[1e400,-1E+400,1]", "[null,null,1]" },
		{ "[1e400,100000000000000000000]", "[null,1e20]" },
		{ "[{\"1e400\":\"1e400\",\"a\":1e400}]",
		  "[{\"1e400\":\"1e400\",\"a\":null}]" },
		{ "[1e400", NULL },
		{ "[1e400x]", NULL },
		{ "[-inf]", NULL },
		{ "[-]", NULL },
		{ "[Infinity]", NULL },
		{ "[NaN]", NULL },
		{ "[0x1p4000]", NULL },
	};
	size_t n = 5000;
	char *digits = mem_alloc(n + 3);

	expect_rows(table, ARRAY_SIZE(table));
	digits[0] = '[';
	memset(digits + 1, '9', n);
	memcpy(digits + 1 + n, "]", 2);
	expect_rows(&(struct row){ digits, "[null]" }, 1);
	free(digits);
}

Test(json_text, other_oddities)
{
	static const struct row table[] = {
		{ "[{\"a\":1,\"a\":2}]", "[{\"a\":2}]" },
		{ "[{\"\":1,\"__proto__\":2}]", "[{\"\":1,\"__proto__\":2}]" },
		{ "[\"\xe2\x80\xa8\xef\xbf\xbf\x7f\"]",
		  "[\"\xe2\x80\xa8\xef\xbf\xbf\x7f\"]" },
		{ " \t\r\n[ ] ", "[]" },
		{ "[\"\x1f\"]", NULL },
		{ "[1,]", NULL },
		{ "[]x", NULL },
		{ "7", NULL },
		{ "", NULL },
	};

	expect_rows(table, ARRAY_SIZE(table));
}

/* depth brackets around what is inside */
static char *nested(unsigned depth, const char *open, const char *close,
		    const char *inside)
{
	size_t no = strlen(open), nc = strlen(close);
	char *text = mem_alloc(depth * (no + nc) + strlen(inside) + 1), *p = text;

	for (unsigned i = 0; i < depth; i++, p += no)
		memcpy(p, open, no);
	p = stpcpy(p, inside);
	for (unsigned i = 0; i < depth; i++, p += nc)
		memcpy(p, close, nc);
	*p = '\0';
	return text;
}

static unsigned depth_of(const char *text)
{
	json_t *j = json_text_load((struct slice){ text, strlen(text) });
	unsigned depth = 0;

	for (const json_t *at = j; at != NULL; depth++)
		at = json_is_array(at) ? json_array_get(at, 0)
				       : json_object_get(at, "a");
	json_decref(j);
	return depth;
}

Test(json_text, depth)
{
	static const struct {
		unsigned depth;
		const char *open, *close, *inside;
		unsigned left;
	} table[] = {
		{ 1500, "[", "]", "", 1500 },
		{ 5000, "[", "]", "", 1000 },
		{ 400000, "[", "]", "", 1000 },
		{ 5000, "{\"a\":", "}", "1", 1000 },
		{ 5000, "[", "]", "\"]]]\\\"]\",1e400,{\"\\u0000\":\"\\ud800\"}", 1000 },
		{ 5000, "{\"a\":", ",\"b\":[1,{}]}", "[]", 1000 },
		{ 5000, "[", "]x", "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char *text = nested(table[i].depth, table[i].open,
				    table[i].close, table[i].inside);

		cr_assert_eq(depth_of(text), table[i].left, "%zu: %u", i,
			     depth_of(text));
		text[strlen(text) - 1] = '\0';
		cr_assert_eq(depth_of(text), 0, "%zu, cut", i);
		free(text);
	}
}

/* Nothing of these may be read or written past the end. */
Test(json_text, truncations)
{
	static const char whole[] =
		"[{\"\\u0000k\\ud800\" : \"\\ud83d\\ude00\\\\\"},1e400,-1e999]";

	for (size_t n = 0; n <= sizeof(whole) - 1; n++) {
		char *in = mem_alloc(n + (n == 0));
		json_t *j;

		memcpy(in, whole, n);
		j = json_text_load((struct slice){ in, n });
		cr_assert_eq(j != NULL, n == sizeof(whole) - 1, "%zu", n);
		json_decref(j);
		free(in);
	}
}
