/* The invalidation guard: when dead tokens are too many to be believed. */
#include <criterion/criterion.h>

#include "pushd/guard.h"

static struct guard g;
static int64_t now;

static void setup(void)
{
	guard_init(&g, 30);
	now = 5000000;
}

TestSuite(guard, .init = setup);

static int changes(bool (*fn)(struct guard *, int64_t), int n)
{
	int changed = 0;

	while (n-- > 0)
		changed += fn(&g, now);
	return changed;
}

Test(guard, a_few_say_nothing)
{
	cr_expect_eq(changes(guard_dead, GUARD_LEAST - 1), 0);
	cr_expect_not(g.tripped);
	cr_expect_eq(changes(guard_dead, 1), 1);
	cr_expect(g.tripped);
	cr_expect_eq(changes(guard_dead, 10), 0, "told once");
}

Test(guard, the_share_counts)
{
	changes(guard_sent, 70);
	cr_expect_eq(changes(guard_dead, 30), 0, "30 of 100 is not more");
	cr_expect_eq(changes(guard_dead, 1), 1);
}

Test(guard, well_again_below_half_of_it)
{
	changes(guard_dead, 15);
	cr_expect(g.tripped);
	cr_expect_eq(changes(guard_sent, 85), 0, "15 of 100 is half");
	cr_expect_eq(changes(guard_sent, 1), 1);
	cr_expect_not(g.tripped);
	changes(guard_dead, 10);
	cr_expect_not(g.tripped);
}

Test(guard, counts_fade)
{
	changes(guard_dead, 8);
	changes(guard_sent, 1000);
	cr_expect_not(g.tripped);
	now += GUARD_HALF_LIFE_MS;
	changes(guard_sent, 1);
	cr_expect_float_eq(g.dead, 4, 0.01);
	cr_expect_float_eq(g.ok, 501, 0.5);
	now += 100LL * GUARD_HALF_LIFE_MS;
	changes(guard_sent, 1);
	cr_expect_float_eq(g.dead, 0, 1e-6);
	cr_expect_float_eq(g.ok, 1, 1e-3);
}

Test(guard, fading_is_the_same_in_small_steps)
{
	changes(guard_dead, 4);
	changes(guard_sent, 100);
	for (int i = 0; i < 1000; i++) {
		now += GUARD_HALF_LIFE_MS / 1000;
		guard_sent(&g, now);
	}
	cr_expect_float_eq(g.dead, 2, 0.01);
}

Test(guard, after_a_quiet_night_a_few_say_nothing_again)
{
	changes(guard_dead, 50);
	cr_expect(g.tripped);
	now += 1000LL * GUARD_HALF_LIFE_MS;
	cr_expect_eq(changes(guard_sent, 1), 1);
	cr_expect_not(g.tripped);
	cr_expect_eq(changes(guard_dead, GUARD_LEAST - 1), 0);
}

Test(guard, hundred_percent_is_none)
{
	guard_init(&g, 100);
	cr_expect_eq(changes(guard_dead, 1000), 0);
	cr_expect_not(g.tripped);
}

Test(guard, a_clock_that_stands_or_goes_back)
{
	changes(guard_dead, 3);
	now -= 1000;
	changes(guard_sent, 3);
	cr_expect_float_eq(g.dead, 3, 1e-9);
	cr_expect_float_eq(g.ok, 3, 1e-9);
}

Test(guard, hours_apart_and_not_one_was_sent)
{
	for (int i = 1; i < GUARD_LEAST; i++) {
		cr_expect_eq(changes(guard_dead, 1), 0);
		now += 20LL * GUARD_HALF_LIFE_MS;
	}
	cr_expect_eq(changes(guard_dead, 1), 1);
	now += 20LL * GUARD_HALF_LIFE_MS;
	changes(guard_dead, 1);
	cr_expect(g.tripped);
	changes(guard_sent, 6);
	cr_expect_not(g.tripped);
	now += 20LL * GUARD_HALF_LIFE_MS;
	cr_expect_eq(changes(guard_dead, GUARD_LEAST - 1), 0);
}

Test(guard, a_row_among_many_that_were_sent)
{
	changes(guard_sent, 1000);
	cr_expect_eq(changes(guard_dead, 3 * GUARD_LEAST), 0);
}

static int spent(void)
{
	int n = 0;

	while (n < 1000 && guard_spend(&g))
		n++;
	return n;
}

Test(guard, deletions_are_earned)
{
	static const struct {
		unsigned share;
		int sent, deletions;
	} rows[] = {
		{ 30, 0, 0 }, { 30, 2, 0 }, { 30, 3, 1 }, { 30, 7, 3 },
		{ 30, 10000, GUARD_BURST }, { 1, 98, 0 }, { 1, 99, 1 },
		{ 50, 1, 1 }, { 99, 1, GUARD_BURST }, { 100, 0, 1000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		guard_init(&g, rows[i].share);
		changes(guard_sent, rows[i].sent);
		cr_expect_eq(spent(), rows[i].deletions, "%zu", i);
	}
}

Test(guard, in_the_long_run_the_share_of_all)
{
	int deleted = 0;

	for (int i = 0; i < 7000; i++) {
		guard_sent(&g, now);
		deleted += guard_spend(&g);
	}
	cr_expect_eq(deleted, 3000);
}

Test(guard, a_tripped_one_spends_nothing)
{
	changes(guard_sent, 10);
	changes(guard_dead, 5);
	cr_expect(g.tripped);
	cr_expect_eq(spent(), 0);
}

Test(guard, renewed_it_knows_nothing)
{
	changes(guard_sent, 1000);
	changes(guard_dead, 4);
	guard_renew(&g);
	cr_expect_eq(spent(), 0);
	cr_expect_eq(changes(guard_dead, GUARD_LEAST), 1);
	guard_renew(&g);
	cr_expect(g.tripped, "told already");
	cr_expect_eq(changes(guard_sent, 100), 1);
	cr_expect_eq(spent(), GUARD_BURST);
}
