#include "common/protocol/iso_time.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/protocol/exact.h"

static const struct {
	const char *text;
	int64_t ms;
} good[] = {
	{ "1970-01-01T00:00:00.000Z", 0 },
	{ "1970-01-01T00:00Z", 0 },
	{ "1970-01-02T00:00:00Z", 86400000 },
	{ "1969-12-31T23:59:59.999Z", -1 },
	{ "2026-01-02T03:04:05.678Z", 1767323045678 },
	{ "2026-01-02T03:04:05.6Z", 1767323045600 },
	{ "2026-01-02T03:04:05.678999999Z", 1767323045678 },
	{ "2026-01-02T04:04:05.678+01:00", 1767323045678 },
	{ "2026-01-01T21:34:05.678-05:30", 1767323045678 },
	{ "2024-02-29T12:00:00Z", 1709208000000 },
	{ "2000-02-29T00:00:00Z", 951782400000 },
	{ "2000-03-01T00:00:00Z", 951868800000 },
	{ "2016-12-31T23:59:60Z", 1483228800000 },
	{ "0001-01-01T00:00:00Z", -62135596800000 },
	{ "9999-12-31T23:59:59.999Z", 253402300799999 },
};

static const char *const bad[] = {
	"", "now", "2026-01-02", "2026-01-02T03:04:05.678", "2026-01-02 03:04Z",
	"2026-13-02T03:04Z", "2026-00-02T03:04Z", "2026-01-32T03:04Z",
	"2026-01-00T03:04Z", "2023-02-29T00:00Z", "1900-02-29T00:00Z",
	"2026-04-31T00:00Z", "0000-01-01T00:00Z", "2026-01-02T24:00Z",
	"2026-01-02T03:60Z", "2026-01-02T03:04:61Z", "2026-01-02T03:04:05.Z",
	"2026-01-02T03:04:05,6Z", "2026-01-02T03:04z", "2026-01-02T03:04Z ",
	"2026-01-02T03:04+1:00", "2026-01-02T03:04+0100", "2026-01-02T03:04+24:00",
	"2026-1-2T03:04Z", "+2026-01-02T03:04Z", "2026-01-02T03Z",
};

Test(iso_time, good)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct slice s = { good[i].text, strlen(good[i].text) };
		int64_t ms = 7;

		cr_expect_eq(iso_time_parse(s, &ms), 0, "%s", s.p);
		cr_expect_eq(ms, good[i].ms, "%s: %lld", s.p, (long long)ms);
	}
}

Test(iso_time, bad)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct slice s = { bad[i], strlen(bad[i]) };
		int64_t ms = 7;

		cr_expect_eq(iso_time_parse(s, &ms), -EINVAL, "%s", s.p);
		cr_expect_eq(ms, 7);
	}
}

Test(iso_time, every_truncation)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		for (size_t n = 0; n < strlen(good[i].text); n++) {
			struct slice s = exact(good[i].text, n);
			int64_t ms;

			cr_expect_eq(iso_time_parse(s, &ms), -EINVAL, "%.*s",
				     (int)n, good[i].text);
			free((char *)s.p);
		}
}

Test(iso_time, what_we_write_we_read)
{
	for (int64_t ms = 0; ms < 253402300799999;
	     ms += 86399999 * 37LL) {
		char text[TIME_ISO_LEN + 1];
		int64_t back = 0;

		time_iso(ms, text);
		cr_assert_eq(iso_time_parse((struct slice){ text, TIME_ISO_LEN },
					    &back), 0, "%s", text);
		cr_assert_eq(back, ms, "%s", text);
	}
}
