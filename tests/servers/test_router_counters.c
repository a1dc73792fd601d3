/* What an instance was not sent although it was published to it, or may not
 * have been: it is told, before it gets anything that came after. */
#include "common/ipc/stats.h"
#include "tests/servers/router_nodes.h"

/* Gets its first envelope, "0", and its first tick. */
static void counting_start(unsigned db)
{
	struct envelope e = emit("ann", "0");

	pair_start(db);
	register_at("ann", b.instance);
	WAIT_FOR(l, router_good_us(b.router) > 0);
	route(&e, ROUTE_PLAIN);
	WAIT_FOR(l, b.got == 1);
	cr_expect_eq(b.lost, 1, "users may be registered before a worker listens");
	cr_expect_eq(stats_get(STAT_gaps), 0, "which is nothing to count");
}

static void expect_next(const char *event, size_t got)
{
	struct envelope e = emit("ann", event);

	route(&e, ROUTE_PLAIN);
	WAIT_FOR(l, b.got == got);
}

static int64_t redis_us(void)
{
	redisReply *r = admin_do("TIME");
	int64_t us = atoll(r->element[0]->str) * 1000000 +
		     atoll(r->element[1]->str);

	freeReplyObject(r);
	return us;
}

/* Until b got a tick that was published from now on. */
static void good_again(void)
{
	int64_t now = redis_us();

	WAIT_FOR(l, router_good_us(b.router) >= now);
	cr_expect_leq(router_good_us(b.router), redis_us());
}

TestSuite(router_counters, .timeout = 240);

Test(router_counters, all_came_up_to_the_last_tick)
{
	counting_start(1);
	for (int i = 0; i < 2; i++)
		good_again();
	expect_next("1", 2);
	good_again();
	cr_expect(b.in_order);
	cr_expect_eq(b.lost, 1);
	cr_expect_eq(router_losses(b.router), 1);
	pair_stop();
}

Test(router_counters, a_gap_is_told_before_what_follows)
{
	counting_start(2);
	admin_run("INCR pw:n:%s", b.instance);
	expect_next("1", 2);
	cr_expect_eq(b.lost, 2);
	cr_expect_eq(b.got_at_loss, 1);
	cr_expect_eq(stats_get(STAT_gaps), 1);
	expect_next("2", 3);
	good_again();
	cr_expect_eq(b.lost, 2, "once");
	pair_stop();
}

Test(router_counters, a_gap_is_told_though_nothing_follows)
{
	counting_start(3);
	admin_run("INCR pw:n:%s", b.instance);
	WAIT_FOR(l, b.lost == 2);
	good_again();
	cr_expect_eq(b.lost, 2, "once");
	pair_stop();
}

Test(router_counters, stands_still_until_made_good)
{
	int64_t good;

	counting_start(4);
	good_again();
	b.keeps_lost = true;
	admin_run("INCR pw:n:%s", b.instance);
	WAIT_FOR(l, b.lost == 2);
	good = router_good_us(b.router);
	admin_run("INCR pw:n:%s", b.instance);
	WAIT_FOR(l, b.lost == 3);
	router_made_good(b.router, 2);
	expect_next("1", 2);
	loop_turn(l, 2500);
	cr_expect_eq(router_good_us(b.router), good, "more was lost meanwhile");
	router_made_good(b.router, 3);
	good_again();
	cr_expect_eq(b.lost, 3);
	pair_stop();
}

/* The data is gone, and every route with it. */
Test(router_counters, an_emptied_redis_is_a_loss)
{
	counting_start(5);
	admin_run("FLUSHDB");
	WAIT_FOR(l, b.lost == 2);
	register_at("ann", b.instance);
	expect_next("1", 2);
	good_again();
	cr_expect_eq(b.lost, 2, "once");

	/* before a tick: the envelope tells */
	admin_run("FLUSHDB");
	register_at("ann", b.instance);
	expect_next("2", 3);
	cr_expect_eq(b.lost, 3);
	cr_expect_eq(b.got_at_loss, 2);
	pair_stop();
}

/* A snapshot of some time ago: counters repeat. */
Test(router_counters, older_data_is_a_loss)
{
	long long n;

	counting_start(6);
	n = admin_int("GET pw:n:%s", b.instance);
	expect_next("1", 2);
	expect_next("2", 3);
	admin_run("SET pw:n:%s %lld", b.instance, n);
	expect_next("3", 4);
	cr_expect_eq(b.lost, 2);
	cr_expect_eq(b.got_at_loss, 3);
	pair_stop();
}

/* It may be back the next instant. */
static void lose_one(struct node *n)
{
	cr_expect_eq(n->lost, 1, "until it is back nothing can be done");
	cr_expect(redis_up(n->redis));
	admin_run("INCR pw:n:%s", n->instance);
}

Test(router_counters, a_new_subscription_is_a_loss)
{
	counting_start(7);
	b.keeps_lost = true;
	b.went_down = lose_one;
	cr_assert_eq(admin_kill_if(b.instance, "flags=P"), 1);
	WAIT_FOR(l, b.subscriptions == 2);
	b.went_down = NULL;
	cr_expect_eq(b.lost, 2);
	cr_expect_eq(stats_get(STAT_gaps), 1);
	expect_next("1", 2);
	loop_turn(l, 1500);
	cr_expect_eq(b.lost, 2, "its first counter is where it begins");
	router_made_good(b.router, router_losses(b.router));
	good_again();
	pair_stop();
}

/* Of a newer version: it counts, though it cannot be read. */
Test(router_counters, an_unknown_kind_keeps_the_sequence)
{
	long long n;

	counting_start(8);
	n = admin_int("INCR pw:n:%s", b.instance);
	admin_run("PUBLISH pw:c:%s \x01%lld:\x7fnew", b.instance, n);
	expect_next("1", 2);
	good_again();
	cr_expect_eq(b.lost, 1);

	/* what has no counter cannot be told from a loss */
	admin_run("INCR pw:n:%s", b.instance);
	admin_run("PUBLISH pw:c:%s \x02whatever", b.instance);
	expect_next("2", 3);
	cr_expect_eq(b.lost, 2);
	pair_stop();
}
