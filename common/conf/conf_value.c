#include "common/conf/conf_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct unit {
	const char *name;
	int64_t factor;
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit size_units[] = {
	{ "", 1 }, { "k", 1024 }, { "M", 1024 * 1024 },
	{ "G", 1024 * 1024 * 1024 }, { NULL, 0 },
};
static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 },
	{ NULL, 0 },
};

static const struct unit *units_of(enum conf_type t)
{
	if (t == CONF_MSEC)
		return time_units;
	return t == CONF_SIZE ? size_units : no_units;
}

static const char *expected(enum conf_type t)
{
	if (t == CONF_MSEC)
		return "a duration with its unit, like 25s, 100ms, 10m or 1h";
	return t == CONF_SIZE ? "a size in bytes, or like 64k, 1M or 2G" :
				"a whole number";
}

/* In the unit a person would choose, so that the limits in an error can be
 * copied into the file. */
static void show(enum conf_type t, int64_t v, char *out, size_t n)
{
	const struct unit *best = NULL;

	for (const struct unit *u = units_of(t); u->name != NULL; u++)
		if (v % u->factor == 0 && (v != 0 || best == NULL))
			best = u;
	snprintf(out, n, "%" PRId64 "%s", v / best->factor, best->name);
}

void conf_number_text(enum conf_type t, int64_t v, struct buf *out)
{
	char text[32];

	if (t == CONF_BOOL) {
		buf_adds(out, v != 0 ? "on" : "off");
		return;
	}
	show(t, v, text, sizeof(text));
	buf_adds(out, text);
}

static int out_of_range(const struct conf_key *k, const char *text,
			char why[CONF_WHY_MAX])
{
	char lo[32], hi[32];

	show(k->type, k->min, lo, sizeof(lo));
	show(k->type, k->max, hi, sizeof(hi));
	snprintf(why, CONF_WHY_MAX, "%.40s is out of range (%s to %s)", text, lo,
		 hi);
	return -ERANGE;
}

static int parse_bool(const char *text, int64_t *out, char why[CONF_WHY_MAX])
{
	static const char *const words[] = {
		"off", "on", "no", "yes", "false", "true", "0", "1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i % 2;
			return 0;
		}
	}
	snprintf(why, CONF_WHY_MAX, "\"%.40s\" is neither on nor off", text);
	return -EINVAL;
}

int conf_parse_number(const struct conf_key *k, const char *text, int64_t *out,
		      char why[CONF_WHY_MAX])
{
	size_t digits = strspn(text, "0123456789");
	const struct unit *u = units_of(k->type);
	int64_t v;

	if (k->type == CONF_BOOL)
		return parse_bool(text, out, why);
	while (u->name != NULL && strcmp(u->name, text + digits) != 0)
		u++;
	if (digits > 0 && u->name == NULL && text[digits] == '\0') {
		snprintf(why, CONF_WHY_MAX,
			 "%.20s has no unit: write %.20ss for seconds or "
			 "%.20sms for milliseconds", text, text, text);
		return -EINVAL;
	}
	if (digits == 0 || u->name == NULL) {
		snprintf(why, CONF_WHY_MAX, "\"%.40s\" is not %s", text,
			 expected(k->type));
		return -EINVAL;
	}
	errno = 0;
	v = strtoll(text, NULL, 10);
	if (errno != 0 || __builtin_mul_overflow(v, u->factor, &v) ||
	    v < k->min || v > k->max)
		return out_of_range(k, text, why);
	*out = v;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* p behind the backslash; bytes used, or 0. */
static size_t unescape(const char *p, char *out)
{
	static const char names[] = "\\\"nrt", values[] = "\\\"\n\r\t";
	const char *at;
	int hi, lo;

	if (*p == '\0')
		return 0;
	at = strchr(names, *p);
	if (at != NULL) {
		*out = values[at - names];
		return 1;
	}
	if (*p != 'x')
		return 0;
	hi = hex_digit(p[1]);
	lo = hi == -1 ? -1 : hex_digit(p[2]);
	if (lo == -1 || hi * 16 + lo == 0)
		return 0;
	*out = (char)(hi * 16 + lo);
	return 3;
}

static int unquote(const char *p, char *out, char why[CONF_WHY_MAX])
{
	while (*p != '"') {
		size_t used;

		if (*p == '\0') {
			snprintf(why, CONF_WHY_MAX, "the closing quote is missing");
			return -EINVAL;
		}
		if (*p != '\\') {
			*out++ = *p++;
			continue;
		}
		used = unescape(p + 1, out);
		if (used == 0) {
			snprintf(why, CONF_WHY_MAX,
				 "a backslash within quotes is followed by one "
				 "of \\ \" n r t, or by x and two hex digits");
			return -EINVAL;
		}
		p += 1 + used;
		out++;
	}
	*out = '\0';
	if (p[1] != '\0') {
		snprintf(why, CONF_WHY_MAX,
			 "text behind the closing quote (a \" within quotes is "
			 "written \\\")");
		return -EINVAL;
	}
	return 0;
}

int conf_unquote(const char *text, char **out, char why[CONF_WHY_MAX])
{
	char *value;
	int rc;

	if (*text != '"') {
		for (const char *p = text; *p != '\0'; p++) {
			if ((p == text || p[-1] == ' ' || p[-1] == '\t') &&
			    (*p == ';' || *p == '#')) {
				snprintf(why, CONF_WHY_MAX,
					 "a comment needs a line of its own; if "
					 "'%c' belongs to the value, put the "
					 "value in double quotes", *p);
				return -EINVAL;
			}
		}
		*out = mem_strdup(text);
		return 0;
	}
	value = mem_alloc(strlen(text) + 1);
	rc = unquote(text + 1, value, why);
	if (rc != 0)
		free(value);
	else
		*out = value;
	return rc;
}

void conf_quote(struct buf *b, const char *text)
{
	buf_addc(b, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(b, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			buf_printf(b, "\\x%02x", *p);
		else
			buf_addc(b, (char)*p);
	}
	buf_addc(b, '"');
}
