#include "worker/socketio/json_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

#define DEPTH_MAX 1000		/* jansson's own limit is 2,048 */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

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

/* What JSON.parse accepts and jansson does not is rewritten in place, so that
 * the text stays as long as it was. Text that is no JSON may come out as
 * anything but longer. */
struct repair {
	char *p, *end;
	unsigned depth;
	bool large;		/* an integer beyond 64 bits was seen */
};

/* From the opening quote to behind the closing one. */
static void repair_string(struct repair *r)
{
	char *nul = NULL, *next;

	for (r->p++; r->p < r->end && *r->p != '"'; ) {
		int v;

		if (*r->p != '\\') {
			r->p++;
			continue;
		}
		v = unit_at(r->p, r->end);
		if (v == -1) {
			r->p += 2;
			continue;
		}
		if (in_range(v, 0xd800, 0xdbff) &&
		    in_range(unit_at(r->p + 6, r->end), 0xdc00, 0xdfff)) {
			r->p += 12;
			continue;
		}
		/* JSON.stringify writes half of a surrogate pair (text cut in
		 * the middle of an emoji) as an escape. */
		if (in_range(v, 0xd800, 0xdfff))
			memcpy(r->p + 2, "fffd", 4);
		if (v == 0 && nul == NULL)
			nul = r->p;
		r->p += 6;
	}
	if (r->p >= r->end)
		return;
	for (next = ++r->p; next < r->end && is_space(*next); )
		next++;
	if (nul == NULL || next == r->end || *next != ':')
		return;
	/* jansson has no NUL in keys, whatever its flags. */
	for (; nul < r->p; nul += *nul == '\\' ? 2 : 1) {
		if (unit_at(nul, r->p) == 0)
			memcpy(nul + 2, "fffd", 4);
	}
}

static bool is_large(const char *p, size_t n)
{
	if (n < 19 || n != strspn(p, "0123456789-"))
		return false;
	errno = 0;
	(void)strtoll(p, NULL, 10);
	return errno == ERANGE;
}

/* JSON.parse makes Infinity of 1e400, and JSON.stringify null of that. */
static void repair_number(struct repair *r)
{
	size_t n = strspn(r->p, "0123456789+-.eE");
	char *after;
	double v = strtod(r->p, &after);

	if (isinf(v) && after == r->p + n) {	/* "1e309" at least */
		memset(r->p, ' ', n);
		memcpy(r->p, "null", 4);
	} else if (is_large(r->p, n)) {
		r->large = true;
	}
	r->p += n;
}

/* What lies deeper is left out: no application looks there. */
static void repair_bracket(struct repair *r)
{
	bool opens = *r->p == '[' || *r->p == '{';

	if (!opens && r->depth > 0)
		r->depth--;
	if (opens)
		r->depth++;
	r->p++;
}

/* True: there are integers beyond 64 bits. */
static bool repair(char *text, size_t n)
{
	struct repair r = { .p = text, .end = text + n };

	while (r.p < r.end) {
		char *from = r.p;
		bool deep = r.depth >= DEPTH_MAX;

		if (*r.p == '"')
			repair_string(&r);
		else if (*r.p == '-' || (*r.p >= '0' && *r.p <= '9'))
			repair_number(&r);
		else if (*r.p != '\0' && strchr("[]{}", *r.p) != NULL)
			repair_bracket(&r);
		else
			r.p++;
		if (r.p > r.end)
			r.p = r.end;
		if (deep && r.depth >= DEPTH_MAX)
			memset(from, ' ', (size_t)(r.p - from));
	}
	return r.large;
}

/* Parsed twice at most, whatever is in it: clients nobody knows have this done. */
json_t *json_text_load(struct slice text)
{
	json_error_t err;
	json_t *j = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &err);
	size_t flags = JSON_ALLOW_NUL;
	char *copy;

	if (j != NULL)
		return j;
	copy = mem_strndup(text.p, text.n);
	/* JSON.stringify writes 1e20 with all its digits. */
	if (repair(copy, text.n))
		flags |= JSON_DECODE_INT_AS_REAL;
	j = json_loadb(copy, text.n, flags, &err);
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

	while (at < array.n && is_space(array.p[at]))
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
