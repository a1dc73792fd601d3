#include "pushd/retry_after.h"

#include <time.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static int64_t bounded(int64_t ms)
{
	return ms < 0 ? 0 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

static bool seconds(struct slice s, int64_t *ms_out)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!digit(s.p[i]))
			return false;
		v = bounded(v * 10 + (s.p[i] - '0') * 1000LL);
	}
	*ms_out = v;
	return true;
}

/* What stands at p for each letter of a pattern, see below. */
struct date {
	int day, month, year, hour, minute, second;
};

static int month_of(const char *p)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int m = 0; m < 12; m++) {
		if (memcmp(names + 3 * m, p, 3) == 0)
			return m;
	}
	return -1;
}

/* Reads by a pattern: D, Y, H, N, S take a digit each ("_" a digit of the day
 * or a space), the three letters "mmm" a month's name, all else itself. */
static bool matches(struct slice s, const char *pattern, struct date *d)
{
	if (s.n != strlen(pattern))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char *letters = "DYHNS_", *at;
		int *field[] = { &d->day, &d->year, &d->hour, &d->minute,
				 &d->second, &d->day };
		char c = s.p[i];

		if (pattern[i] == 'm') {
			d->month = month_of(s.p + i);
			i += 2;
			continue;
		}
		at = strchr(letters, pattern[i]);
		if (at == NULL) {
			if (c != pattern[i])
				return false;
			continue;
		}
		if (*at == '_' && c == ' ')
			continue;
		if (!digit(c))
			return false;
		*field[at - letters] = *field[at - letters] * 10 + (c - '0');
	}
	return true;
}

/* From the character behind the day's name, which says nothing new. */
static struct slice behind(struct slice s, char c)
{
	const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	if (at == NULL)
		return (struct slice){ 0 };
	return (struct slice){ at, s.n - (size_t)(at - s.p) };
}

/* Two digits of a year: the one that is not more than 50 years ahead. */
static int century(int year, int64_t now_ms)
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm tm;
	int full;

	gmtime_r(&now, &tm);
	full = (tm.tm_year + 1900) / 100 * 100 + year;
	return full > tm.tm_year + 1900 + 50 ? full - 100 : full;
}

static bool date(struct slice s, int64_t now_ms, int64_t *at_ms_out)
{
	static const char *const forms[] = {
		", DD mmm YYYY HH:NN:SS GMT",
		", DD-mmm-YY HH:NN:SS GMT",	/* obsolete, as the next */
		" mmm _D HH:NN:SS YYYY",
	};
	struct date d;
	struct tm tm;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		d = (struct date){ .month = -1 };
		if (matches(behind(s, forms[i][0]), forms[i], &d))
			break;
	}
	if (i == ARRAY_SIZE(forms))
		return false;
	if (d.year < 100)
		d.year = century(d.year, now_ms);
	if (d.month < 0 || d.day < 1 || d.day > 31 || d.hour > 23 ||
	    d.minute > 59 || d.second > 60)
		return false;
	tm = (struct tm){ .tm_mday = d.day, .tm_mon = d.month,
			  .tm_year = d.year - 1900, .tm_hour = d.hour,
			  .tm_min = d.minute, .tm_sec = d.second };
	*at_ms_out = (int64_t)timegm(&tm) * 1000;
	return true;
}

int64_t retry_after_ms(struct slice s, int64_t now_ms)
{
	int64_t ms;

	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	if (s.n == 0)
		return -1;
	if (seconds(s, &ms))
		return ms;
	return date(s, now_ms, &ms) ? bounded(ms - now_ms) : -1;
}
