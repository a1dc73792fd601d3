#include "worker/socketio/json_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of "\uXXXX" at p, or -1. */
static int unit_at(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int d = hex_digit(p[i]);

		if (d == -1)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static bool in_range(int v, int from, int to)
{
	return v >= from && v <= to;
}

/* JSON.stringify writes half of a surrogate pair as an escape (text cut in the
 * middle of an emoji); jansson refuses that. Replaced in place; true when
 * anything was. */
static bool replace_lone_surrogates(char *p, const char *end)
{
	bool changed = false;

	while (p < end) {
		int v;

		if (*p != '\\') {
			p++;
			continue;
		}
		v = unit_at(p, end);
		if (v == -1) {
			p += 2;
			continue;
		}
		if (in_range(v, 0xd800, 0xdbff) &&
		    in_range(unit_at(p + 6, end), 0xdc00, 0xdfff)) {
			p += 12;
			continue;
		}
		if (in_range(v, 0xd800, 0xdfff)) {
			memcpy(p + 2, "fffd", 4);
			changed = true;
		}
		p += 6;
	}
	return changed;
}

static json_t *load(const char *p, size_t n)
{
	json_error_t err;
	json_t *j = json_loadb(p, n, JSON_ALLOW_NUL, &err);

	/* JSON.stringify writes 1e20 with all its digits. */
	if (j == NULL && json_error_code(&err) == json_error_numeric_overflow)
		j = json_loadb(p, n, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
			       &err);
	return j;
}

json_t *json_text_load(struct slice text)
{
	json_t *j = load(text.p, text.n);
	char *copy;

	if (j != NULL || memchr(text.p, '\\', text.n) == NULL)
		return j;
	copy = mem_strndup(text.p, text.n);
	if (replace_lone_surrogates(copy, copy + text.n))
		j = load(copy, text.n);
	free(copy);
	return j;
}

/* The length of the string literal at text's beginning, of at most max
 * characters however they are written; 0 when there is none. */
static size_t literal_length(struct slice text, size_t max)
{
	size_t end = max * strlen("\\u0000") + 2;

	if (text.n == 0 || text.p[0] != '"')
		return 0;
	if (end > text.n)
		end = text.n;
	for (size_t i = 1; i < end; i++) {
		if (text.p[i] == '"')
			return i + 1;
		if (text.p[i] == '\\')
			i++;
	}
	return 0;
}

json_t *json_text_first(struct slice array, size_t max)
{
	json_t *one, *first;
	struct buf b = { 0 };
	size_t at = 1;

	while (at < array.n && memchr(" \t\r\n", array.p[at], 4) != NULL)
		at++;
	buf_addc(&b, '[');
	if (at < array.n) {
		struct slice rest = { array.p + at, array.n - at };

		buf_add(&b, rest.p, literal_length(rest, max));
	}
	buf_addc(&b, ']');
	one = json_text_load(buf_slice(&b));
	first = json_incref(json_array_get(one, 0));
	if (first == NULL || json_string_length(first) > max) {
		json_decref(first);
		first = json_string("");
	}
	json_decref(one);
	buf_free(&b);
	return first;
}
