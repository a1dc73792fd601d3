#include <criterion/criterion.h>
#include <stdio.h>

#include "worker/chat/send_rate.h"

Test(send_rate, each_user_has_a_burst_then_the_rate)
{
	struct rate_conf conf = rate_conf(20, 100);
	struct send_rates r;

	send_rates_init(&r, &conf, 10);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(send_rate_take(&r, "anna", 1000000), 0);
	cr_expect_eq(send_rate_take(&r, "anna", 1000000), 50);
	cr_expect_eq(send_rate_take(&r, "ann", 1000000), 0);
	cr_expect_eq(send_rate_take(&r, "anna", 1049999), 1, "rounded up");
	for (int i = 1; i <= 20; i++) {
		cr_expect_eq(send_rate_take(&r, "anna", 1000000 + 50000 * i), 0);
		cr_expect_neq(send_rate_take(&r, "anna", 1000000 + 50000 * i), 0);
	}
	send_rates_free(&r);
}

Test(send_rate, off)
{
	struct rate_conf conf = rate_conf(0, 1);
	struct send_rates r;

	send_rates_init(&r, &conf, 10);
	for (int i = 0; i < 1000; i++)
		cr_expect_eq(send_rate_take(&r, "anna", 1000000), 0);
	cr_expect_eq(r.map.count, 0);
	send_rates_free(&r);
}

Test(send_rate, another_limit)
{
	struct rate_conf slow = rate_conf(1, 1), fast = rate_conf(1000, 1);
	struct send_rates r;

	send_rates_init(&r, &slow, 10);
	cr_expect_eq(send_rate_take(&r, "anna", 1000000), 0);
	send_rates_set_conf(&r, &slow);
	cr_expect_eq(send_rate_take(&r, "anna", 1000000), 1000);
	send_rates_set_conf(&r, &fast);
	cr_expect_eq(send_rate_take(&r, "anna", 1000000), 0);
	cr_expect_eq(send_rate_take(&r, "anna", 1000000), 1);
	send_rates_free(&r);
}

/* Full buckets are forgotten, others only past the maximum: the oldest. */
Test(send_rate, remembers_no_more_than_it_must)
{
	struct rate_conf conf = rate_conf(20, 1);
	struct send_rates r;
	char id[32];

	send_rates_init(&r, &conf, 10);
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "user %d", i);
		cr_expect_eq(send_rate_take(&r, id, 1000000 + i), 0);
	}
	cr_expect_eq(r.map.count, 10);
	cr_expect_eq(send_rate_take(&r, "user 0", 1000010), 50, "used again");
	cr_expect_eq(send_rate_take(&r, "user 10", 1000011), 0);
	cr_expect_eq(r.map.count, 10);
	cr_expect_eq(send_rate_take(&r, "user 1", 1000012), 0, "forgotten");
	cr_expect_neq(send_rate_take(&r, "user 0", 1000013), 0, "not this one");
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "other %d", i);
		cr_expect_eq(send_rate_take(&r, id, 2000000), 0);
	}
	cr_expect_eq(r.map.count, 10, "all of the first are full again");
	cr_expect_eq(send_rate_take(&r, "other 0", 2000000), 50);
	send_rates_free(&r);
}
