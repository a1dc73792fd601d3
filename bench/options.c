#include "bench/options.h"

#include <errno.h>
#include <string.h>

#define DURATION_MAX_MS INT64_C(0x7fffffff)	/* 24.8 days */

/* Digits at text, at most max; -1 when there are none or it is more. */
static int64_t number(const char **text, int64_t max)
{
	int64_t v = 0;
	const char *p = *text;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (*p - '0');
		if (v > max)
			return -1;
	}
	*text = p;
	return v;
}

int option_duration(const char *text, unsigned *ms_out)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 },
	};
	int64_t v = number(&text, DURATION_MAX_MS);

	if (v <= 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text, units[i].unit) != 0)
			continue;
		if (v > DURATION_MAX_MS / units[i].ms)
			return -EINVAL;
		*ms_out = (unsigned)(v * units[i].ms);
		return 0;
	}
	return -EINVAL;
}

int option_count(const char *text, unsigned min, unsigned max, unsigned *out)
{
	int64_t v = number(&text, max);

	if (v < min || *text != '\0')
		return -EINVAL;
	*out = (unsigned)v;
	return 0;
}
