#include <criterion/criterion.h>

#include <malloc.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "worker/transport/connect_rate.h"

#define SECOND 1000000LL

static struct net_addr v4(uint32_t n)
{
	struct net_addr a = { .b = { [10] = 0xff, [11] = 0xff } };

	for (int i = 0; i < 4; i++)
		a.b[12 + i] = (uint8_t)(n >> (24 - 8 * i));
	return a;
}

static struct connect_rate *rate(uint64_t per_s, uint64_t burst)
{
	struct rate_conf c = rate_conf(per_s, burst);

	return connect_rate_new(&c);
}

Test(connect_rate, burst_then_rate)
{
	struct connect_rate *r = rate(2, 3);
	struct net_addr a = v4(1), b = v4(2);
	int64_t now = 5 * SECOND;
	unsigned wait = 0;

	for (int i = 0; i < 3; i++)
		cr_assert(connect_rate_take(r, &a, now, &wait));
	cr_assert_eq(stats_get(STAT_limited_connects), 0);
	cr_assert(!connect_rate_take(r, &a, now, &wait));
	cr_assert_eq(wait, 1u);
	cr_assert_eq(stats_get(STAT_limited_connects), 1);
	cr_assert(connect_rate_take(r, &b, now, &wait), "others are not hit");
	now += SECOND / 2;
	cr_assert(connect_rate_take(r, &a, now, &wait));
	cr_assert(!connect_rate_take(r, &a, now, &wait));
	now += 10 * SECOND;	/* full again, not fuller */
	for (int i = 0; i < 3; i++)
		cr_assert(connect_rate_take(r, &a, now, &wait));
	cr_assert(!connect_rate_take(r, &a, now, &wait));
	connect_rate_free(&r);
	cr_assert_null(r);
}

Test(connect_rate, another_limit)
{
	struct rate_conf slow = rate_conf(1, 1), fast = rate_conf(100, 2);
	struct connect_rate *r = connect_rate_new(&slow);
	struct net_addr a = v4(1);
	unsigned wait = 0;

	cr_assert(connect_rate_take(r, &a, SECOND, &wait));
	connect_rate_set_conf(r, &slow);
	cr_assert(!connect_rate_take(r, &a, SECOND, &wait));
	connect_rate_set_conf(r, &fast);
	cr_assert(connect_rate_take(r, &a, SECOND, &wait));
	cr_assert(connect_rate_take(r, &a, SECOND, &wait));
	cr_assert(!connect_rate_take(r, &a, SECOND, &wait));
	connect_rate_free(&r);
}

Test(connect_rate, slow_rates_say_how_long)
{
	struct rate_conf c = { .interval_us = 10 * SECOND, .burst_us = 0 };
	struct connect_rate *r = connect_rate_new(&c);
	struct net_addr a = v4(1);
	unsigned wait = 0;

	cr_assert(connect_rate_take(r, &a, SECOND, &wait));
	cr_assert(!connect_rate_take(r, &a, SECOND + 1, &wait));
	cr_assert_eq(wait, 10u);
	cr_assert(!connect_rate_take(r, &a, 8 * SECOND, &wait));
	cr_assert_eq(wait, 3u);
	connect_rate_free(&r);
}

Test(connect_rate, not_known_or_no_limit)
{
	struct connect_rate *r = rate(1, 1), *off = rate(0, 1);
	struct net_addr none = { { 0 } }, a = v4(1);
	unsigned wait;

	for (int i = 0; i < 10; i++) {
		cr_assert(connect_rate_take(r, &none, SECOND, &wait));
		cr_assert(connect_rate_take(off, &a, SECOND, &wait));
	}
	connect_rate_free(&r);
	connect_rate_free(&off);
}

Test(connect_rate, one_bucket_for_a_client_of_ipv6)
{
	struct connect_rate *r = rate(1, 1);
	struct net_addr a = { .b = { 0x20, 1, [15] = 1 } };
	struct net_addr same = a, other = a;
	unsigned wait;

	same.b[8] = 9;
	other.b[7] = 9;
	cr_assert(connect_rate_take(r, &a, SECOND, &wait));
	cr_assert(!connect_rate_take(r, &same, SECOND, &wait));
	cr_assert(connect_rate_take(r, &other, SECOND, &wait));
	connect_rate_free(&r);
}

/* Addresses that come once are forgotten when their bucket is full again, and
 * not before. */
Test(connect_rate, memory_follows_who_connected_lately)
{
	struct connect_rate *r = rate(1, 1);
	struct net_addr a;
	unsigned wait;
	size_t before = 0;

	for (uint32_t i = 0; i < 200000; i++) {
		a = v4(i);
		cr_assert(connect_rate_take(r, &a, SECOND + i * 1000LL, &wait));
		if (i > 1000) {		/* a second's worth is remembered */
			a = v4(i - 990);
			cr_assert(!connect_rate_take(r, &a, SECOND + i * 1000LL,
						     &wait));
		}
		if (i == 2000)
			before = mallinfo2().uordblks;
	}
	/* A sanitizer's allocator says 0. */
	cr_assert_leq(mallinfo2().uordblks, before + 64 * 1024);
	connect_rate_free(&r);
}

/* More addresses at once than are remembered: the oldest get away with it, the
 * others are held, nobody is locked out. */
Test(connect_rate, more_addresses_than_remembered)
{
	enum { MANY = 70000 };
	struct connect_rate *r = rate(1, 1);
	struct net_addr a;
	unsigned wait;
	int held = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		a = v4(i);
		cr_assert(connect_rate_take(r, &a, SECOND, &wait));
	}
	for (uint32_t i = MANY; i-- > MANY - 65536;) {
		a = v4(i);
		held += !connect_rate_take(r, &a, SECOND, &wait);
	}
	cr_assert_eq(held, 65536);
	a = v4(0);
	cr_assert(connect_rate_take(r, &a, SECOND, &wait));
	connect_rate_free(&r);
}
