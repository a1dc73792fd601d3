#include "pushd/json_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/protocol/json_out.h"

#define SAFE_INT 9007199254740991.0

/* The shortest text that is the same number. */
static void real_out(double d, struct buf *out)
{
	char text[32];

	if (d == floor(d) && fabs(d) <= SAFE_INT) {
		json_out_int(out, (int64_t)d);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_adds(out, text);
}

static bool number_or_boolean(const json_t *v, struct buf *out)
{
	if (json_is_integer(v))
		json_out_int(out, json_integer_value(v));
	else if (json_is_real(v))
		real_out(json_real_value(v), out);
	else if (json_is_boolean(v))
		buf_adds(out, json_is_true(v) ? "true" : "false");
	else
		return false;
	return true;
}

bool json_text_plain(const json_t *v, struct buf *out)
{
	if (!json_is_string(v))
		return number_or_boolean(v, out);
	buf_add(out, json_string_value(v), json_string_length(v));
	return true;
}

static void any_out(const json_t *v, struct buf *out);

static void object_out(const json_t *v, struct buf *out)
{
	const char *key, *comma = "";
	json_t *member;

	buf_addc(out, '{');
	json_object_foreach((json_t *)v, key, member) {
		buf_adds(out, comma);
		json_out_cstr(out, key);
		buf_addc(out, ':');
		any_out(member, out);
		comma = ",";
	}
	buf_addc(out, '}');
}

/* Elements until the text would be longer than max. */
static void array_out(const json_t *v, size_t max, struct buf *out)
{
	size_t start = out->len;

	buf_addc(out, '[');
	for (size_t i = 0; i < json_array_size(v); i++) {
		size_t before = out->len;

		if (i > 0)
			buf_addc(out, ',');
		any_out(json_array_get(v, i), out);
		if (out->len + 1 - start > max) {
			out->len = before;
			break;
		}
	}
	buf_addc(out, ']');
}

/* As deep as jansson parses, 2,048 levels, at most. */
static void any_out(const json_t *v, struct buf *out)
{
	if (json_is_object(v))
		object_out(v, out);
	else if (json_is_array(v))
		array_out(v, SIZE_MAX, out);
	else if (json_is_string(v))
		json_out_str(out, json_string_value(v), json_string_length(v));
	else if (!number_or_boolean(v, out))
		buf_adds(out, "null");
}

bool json_text(const json_t *v, size_t max, struct buf *out)
{
	size_t start = out->len;

	if (json_is_array(v))
		array_out(v, max, out);
	else
		any_out(v, out);
	if (out->len - start <= max)
		return true;
	out->len = start;
	return false;
}
