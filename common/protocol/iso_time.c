#include "common/protocol/iso_time.h"

#include <errno.h>

#define MINUTE_MS 60000LL
#define DAY_MS (24 * 60 * MINUTE_MS)

/* Sticky: once something is missing, all that follows is too. */
struct reader {
	const char *p;
	const char *end;
	bool bad;
};

static bool skip(struct reader *r, char c)
{
	if (r->bad || r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static void expect(struct reader *r, char c)
{
	if (!skip(r, c))
		r->bad = true;
}

/* Just so many digits, from min to max. */
static int number(struct reader *r, unsigned digits, int min, int max)
{
	int v = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (r->bad || r->p == r->end || *r->p < '0' || *r->p > '9') {
			r->bad = true;
			return min;
		}
		v = v * 10 + (*r->p++ - '0');
	}
	if (v < min || v > max)
		r->bad = true;
	return v;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static int64_t days_to_year(int64_t y)
{
	y--;
	return y * 365 + y / 4 - y / 100 + y / 400;
}

static int64_t read_date(struct reader *r)
{
	int year = number(r, 4, 1, 9999), month, day;
	int64_t days = days_to_year(year) - days_to_year(1970);

	expect(r, '-');
	month = number(r, 2, 1, 12);
	expect(r, '-');
	if (r->bad)
		return 0;
	day = number(r, 2, 1, days_in(year, month));
	for (int m = 1; m < month; m++)
		days += days_in(year, m);
	return days + day - 1;
}

static int64_t read_fraction(struct reader *r)
{
	int64_t ms = number(r, 1, 0, 9) * 100;
	int64_t unit = 10;

	while (!r->bad && r->p < r->end && *r->p >= '0' && *r->p <= '9') {
		ms += (*r->p++ - '0') * unit;
		unit /= 10;
	}
	return ms;
}

static int64_t read_time(struct reader *r)
{
	int64_t ms = number(r, 2, 0, 23) * 60 * MINUTE_MS;

	expect(r, ':');
	ms += number(r, 2, 0, 59) * MINUTE_MS;
	if (skip(r, ':')) {
		ms += number(r, 2, 0, 60) * 1000LL;
		if (skip(r, '.'))
			ms += read_fraction(r);
	}
	return ms;
}

static int64_t read_zone(struct reader *r)
{
	int64_t sign = 1, ms;

	if (skip(r, 'Z'))
		return 0;
	if (skip(r, '-'))
		sign = -1;
	else
		expect(r, '+');
	ms = number(r, 2, 0, 23) * 60 * MINUTE_MS;
	expect(r, ':');
	return sign * (ms + number(r, 2, 0, 59) * MINUTE_MS);
}

int iso_time_parse(struct slice text, int64_t *ms_out)
{
	struct reader r = { text.p, text.p + text.n, false };
	int64_t ms = read_date(&r) * DAY_MS;

	expect(&r, 'T');
	ms += read_time(&r);
	ms -= read_zone(&r);
	if (r.bad || r.p != r.end)
		return -EINVAL;
	*ms_out = ms;
	return 0;
}
