#include "master/members.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void members_wrong(const struct members *m, const char *name, const char *what)
{
	if (*m->err == '\0')
		snprintf(m->err, MEMBERS_ERR_MAX, "%s%s%s: %s", m->where,
			 *m->where != '\0' ? "." : "", name, what);
}

/* NULL: an error, there was one already or is one now. */
static const json_t *find(const struct members *m, const char *name)
{
	const json_t *v = json_object_get(m->object, name);

	if (v == NULL)
		members_wrong(m, name, "missing");
	return *m->err == '\0' ? v : NULL;
}

int64_t members_int(const struct members *m, const char *name, int64_t min,
		    int64_t max)
{
	const json_t *v = find(m, name);

	if (v == NULL)
		return min;
	if (!json_is_integer(v))
		members_wrong(m, name, "not a number");
	else if (json_integer_value(v) < min || json_integer_value(v) > max)
		members_wrong(m, name, "out of range");
	else
		return json_integer_value(v);
	return min;
}

const char *members_text(const struct members *m, const char *name)
{
	const json_t *v = find(m, name);

	if (json_is_string(v))
		return json_string_value(v);
	members_wrong(m, name, "not a text");
	return "";
}

bool members_bool(const struct members *m, const char *name)
{
	const json_t *v = find(m, name);

	if (!json_is_boolean(v))
		members_wrong(m, name, "neither true nor false");
	return json_is_true(v);
}

const json_t *members_object(const struct members *m, const char *name)
{
	const json_t *v = find(m, name);

	if (json_is_object(v))
		return v;
	members_wrong(m, name, "not an object");
	return NULL;
}

const json_t *members_array(const struct members *m, const char *name)
{
	const json_t *v = find(m, name);

	if (json_is_array(v))
		return v;
	members_wrong(m, name, "not an array");
	return NULL;
}

int members_fd(const struct members *m, const char *name)
{
	if (json_is_null(json_object_get(m->object, name)))
		return -1;
	return (int)members_int(m, name, STDERR_FILENO + 1, INT_MAX);
}
