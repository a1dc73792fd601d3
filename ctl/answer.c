#include "ctl/answer.h"

#include <inttypes.h>
#include <stdio.h>

int64_t answer_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

const char *answer_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "-";
}

struct answer_digits answer_digits(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	struct answer_digits d = { "-" };

	if (json_is_integer(v))
		snprintf(d.text, sizeof(d.text), "%" PRId64,
			 (int64_t)json_integer_value(v));
	return d;
}

struct answer_span answer_span(int64_t ms)
{
	struct answer_span a;
	int64_t s = ms / 1000;

	if (s >= 86400)
		snprintf(a.text, sizeof(a.text), "%" PRId64 "d %" PRId64 "h",
			 s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(a.text, sizeof(a.text), "%" PRId64 "h %" PRId64 "m",
			 s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(a.text, sizeof(a.text), "%" PRId64 "m %" PRId64 "s",
			 s / 60, s % 60);
	else
		snprintf(a.text, sizeof(a.text), "%" PRId64 "s", s);
	return a;
}
