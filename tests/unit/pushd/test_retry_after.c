#include "pushd/retry_after.h"

#include "tests/unit/protocol/exact.h"

#define NOW_MS 1767323045678	/* Fri, 02 Jan 2026 03:04:05.678 GMT */
#define DAY_MS RETRY_AFTER_MAX_MS

static const struct {
	const char *value;
	int64_t ms;
} rows[] = {
	{ "0", 0 }, { "1", 1000 }, { "120", 120000 }, { "007", 7000 },
	{ " 5\t", 5000 }, { "86400", DAY_MS }, { "86401", DAY_MS },
	{ "99999999999999999999999999999999", DAY_MS },
	/* the three forms */
	{ "Fri, 02 Jan 2026 03:05:05 GMT", 59322 },
	{ "Friday, 02-Jan-26 03:05:05 GMT", 59322 },
	{ "Fri Jan  2 03:05:05 2026", 59322 },
	{ "Fri Jan 02 03:05:05 2026", 59322 },
	{ "Fri, 02 Jan 2026 03:04:60 GMT", 54322 },
	{ "Fri, 02 Jan 2026 03:04:05 GMT", 0 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", 0 },
	{ "Sun Nov  6 08:49:37 1994", 0 },
	{ "Sat, 03 Jan 2026 03:04:06 GMT", DAY_MS },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", DAY_MS },
	{ "Sunday, 06-Nov-76 08:49:37 GMT", DAY_MS },	/* 2076, not 1976 */
	{ "Sunday, 06-Nov-77 08:49:37 GMT", 0 },
	/* neither */
	{ "", -1 }, { " ", -1 }, { "-1", -1 }, { "+1", -1 }, { "1.5", -1 },
	{ "1 2", -1 }, { "1s", -1 }, { "soon", -1 },
	{ "Fri, 02 Jan 2026 03:05:05", -1 },
	{ "Fri, 02 Jan 2026 03:05:05 CET", -1 },
	{ "Fri, 2 Jan 2026 03:05:05 GMT", -1 },
	{ "Fri, 02 Foo 2026 03:05:05 GMT", -1 },
	{ "Fri, 00 Jan 2026 03:05:05 GMT", -1 },
	{ "Fri, 32 Jan 2026 03:05:05 GMT", -1 },
	{ "Fri, 02 Jan 2026 24:05:05 GMT", -1 },
	{ "Fri, 02 Jan 2026 03:60:05 GMT", -1 },
	{ "Fri, 02 Jan 2026 03:05:61 GMT", -1 },
	{ "Fri, 02 Jan 2026 03:05:05 GMT ,", -1 },
	{ "Fri Jan 2 03:05:05 2026", -1 },
	{ "2026-01-02T03:05:05Z", -1 },
};

Test(retry_after, values)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(retry_after_ms(text(rows[i].value), NOW_MS),
			     rows[i].ms, "\"%s\": %lld", rows[i].value,
			     (long long)retry_after_ms(text(rows[i].value),
						       NOW_MS));
	cr_expect_eq(retry_after_ms((struct slice){ 0 }, NOW_MS), -1);
}

Test(retry_after, every_truncation)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t n = 0; n < strlen(rows[i].value); n++) {
			struct slice s = exact(rows[i].value, n);
			int64_t ms = retry_after_ms(s, NOW_MS);

			cr_expect(ms >= -1 && ms <= RETRY_AFTER_MAX_MS);
			/* half a date is none */
			if (rows[i].ms != -1 && strchr(rows[i].value, ':') != NULL)
				cr_expect_eq(ms, -1, "%.*s", (int)n, rows[i].value);
			free((char *)s.p);
		}
}
