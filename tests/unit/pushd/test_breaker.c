/* When a provider is left alone. */
#include <criterion/criterion.h>

#include "pushd/breaker.h"
#include "pushd/jitter.h"

static struct breaker b;
static int64_t now;

static void setup(void)
{
	breaker_init(&b);
	now = 1000000;
}

TestSuite(breaker, .init = setup);

static void fail(int64_t wait_ms, enum breaker_why why)
{
	breaker_failed(&b, now, wait_ms, why);
}

static void fail_n(int n)
{
	while (n-- > 0) {
		cr_assert(breaker_allows(&b, now));
		fail(-1, BREAKER_FAILED);
	}
}

Test(breaker, opens_after_failures_in_a_row)
{
	fail_n(BREAKER_FAILURES - 1);
	cr_expect(breaker_allows(&b, now));
	breaker_ok(&b);
	fail_n(BREAKER_FAILURES - 1);
	cr_expect_eq(b.state, BREAKER_CLOSED);
	cr_expect_eq(breaker_wait_ms(&b, now), 0);
	fail_n(1);
	cr_expect_eq(b.state, BREAKER_OPEN);
	cr_expect_not(breaker_allows(&b, now));
	cr_expect_leq(breaker_wait_ms(&b, now), BREAKER_MIN_MS);
	cr_expect_geq(breaker_wait_ms(&b, now), BREAKER_MIN_MS / 2);
}

Test(breaker, a_probe_decides)
{
	fail(5000, BREAKER_AT_ONCE);
	cr_expect_eq(breaker_wait_ms(&b, now), 5000);
	now += 4999;
	cr_expect_not(breaker_allows(&b, now));
	now += 1;
	cr_expect(breaker_allows(&b, now));
	cr_expect_eq(b.state, BREAKER_PROBING);
	cr_expect_not(breaker_allows(&b, now), "one at a time");
	cr_expect_eq(breaker_wait_ms(&b, now), 0);
	fail(-1, BREAKER_FAILED);
	cr_expect_eq(b.state, BREAKER_OPEN);
	now = b.until_ms;
	cr_expect(breaker_allows(&b, now));
	breaker_ok(&b);
	cr_expect_eq(b.state, BREAKER_CLOSED);
	cr_expect(breaker_allows(&b, now));
	fail_n(BREAKER_FAILURES - 1);
	cr_expect_eq(b.state, BREAKER_CLOSED, "counts anew");
}

Test(breaker, waits_longer_each_time)
{
	int64_t bound = BREAKER_MIN_MS;

	fail(-1, BREAKER_AT_ONCE);
	for (int i = 0; i < 12; i++) {
		int64_t wait = breaker_wait_ms(&b, now);

		cr_expect_leq(wait, bound);
		cr_expect_geq(wait, bound / 2);
		now += wait;
		cr_assert(breaker_allows(&b, now));
		fail(-1, BREAKER_FAILED);
		bound = bound * 2 < BREAKER_MAX_MS ? bound * 2 : BREAKER_MAX_MS;
	}
	cr_expect_eq(bound, BREAKER_MAX_MS);
	now = b.until_ms;
	cr_assert(breaker_allows(&b, now));
	breaker_ok(&b);
	fail(-1, BREAKER_AT_ONCE);
	cr_expect_leq(breaker_wait_ms(&b, now), BREAKER_MIN_MS);
}

/* "429 without Retry-After: 60 s, then exponential" (FCM). */
Test(breaker, a_pause_is_longer)
{
	int64_t least = 60000;

	fail(-1, BREAKER_PAUSE);
	for (int i = 0; i < 4; i++) {
		int64_t wait = breaker_wait_ms(&b, now);

		cr_expect_geq(wait, least);
		cr_expect_leq(wait, 2 * least);
		now += wait;
		cr_assert(breaker_allows(&b, now));
		fail(-1, BREAKER_PAUSE);
		least = least < 240000 ? 2 * least : least;
	}
	now = b.until_ms;
	cr_assert(breaker_allows(&b, now));
	fail(7000, BREAKER_PAUSE);
	cr_expect_eq(breaker_wait_ms(&b, now), 7000, "who says so is believed");
	now += 7000;
	cr_assert(breaker_allows(&b, now));
	fail(-1, BREAKER_FAILED);
	cr_expect_leq(breaker_wait_ms(&b, now), BREAKER_MAX_MS);
}

Test(breaker, what_comes_back_late_only_asks_for_more)
{
	fail(2000, BREAKER_AT_ONCE);
	fail(-1, BREAKER_FAILED);
	fail(1000, BREAKER_AT_ONCE);
	cr_expect_eq(breaker_wait_ms(&b, now), 2000);
	fail(3000, BREAKER_AT_ONCE);
	cr_expect_eq(breaker_wait_ms(&b, now), 3000);
	fail(-1, BREAKER_PAUSE);
	cr_expect_eq(breaker_wait_ms(&b, now), 60000);
	breaker_ok(&b);
	cr_expect_eq(b.state, BREAKER_OPEN);
}

Test(breaker, an_hour_at_most)
{
	fail(INT64_MAX / 4, BREAKER_AT_ONCE);
	cr_expect_eq(breaker_wait_ms(&b, now), 3600000);
	fail(INT64_MAX / 4, BREAKER_AT_ONCE);
	cr_expect_eq(breaker_wait_ms(&b, now), 3600000);
	setup();
	fail(0, BREAKER_AT_ONCE);
	cr_expect_geq(breaker_wait_ms(&b, now), BREAKER_MIN_MS / 2,
		      "0 is nothing said");
}

Test(breaker, chance_keeps_to_its_bounds)
{
	bool low = false, high = false;

	for (int i = 0; i < 1000; i++) {
		int64_t ms = jitter_ms(9);

		cr_assert(ms >= 0 && ms <= 9);
		low |= ms == 0;
		high |= ms == 9;
	}
	cr_expect(low && high);
	cr_expect_eq(jitter_ms(0), 0);
}

Test(breaker, a_probe_that_was_none)
{
	fail(5000, BREAKER_AT_ONCE);
	now += 5000;
	cr_assert(breaker_allows(&b, now));
	breaker_unprobed(&b);
	cr_expect_eq(breaker_wait_ms(&b, now), 0);
	cr_expect(breaker_allows(&b, now));
	cr_expect_eq(b.state, BREAKER_PROBING);
	breaker_ok(&b);
	breaker_unprobed(&b);
	cr_expect_eq(b.state, BREAKER_CLOSED);
}
