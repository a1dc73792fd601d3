/* One event to many users. */
#include "tests/servers/router_nodes.h"

#define USERS 1000

/* Users "0" … "999". */
static char names[USERS][8];
static const char *users[USERS];

static struct {
	unsigned got;		/* events */
	uint64_t counter;
	unsigned envelopes;	/* that they came in */
	bool gap;
	bool foreign;		/* not an ENV_EMIT of "hello" */
	unsigned of[USERS];
} here;

static void on_one(void *arg, const struct envelope *e)
{
	(void)arg;
	here.got++;
	here.envelopes += e->counter != here.counter;
	here.gap |= here.counter != 0 && e->counter > here.counter + 1;
	here.counter = e->counter;
	here.foreign |= e->kind != ENV_EMIT || e->event.n != 5 ||
			memcmp(e->event.p, "hello", 5) != 0;
	for (size_t i = 0; i < USERS; i++) {
		if (strlen(names[i]) == e->user_id.n &&
		    memcmp(names[i], e->user_id.p, e->user_id.n) == 0)
			here.of[i]++;
	}
}

static struct node c;

/* a sends; c listens, with on_one. */
static void many_start(unsigned db)
{
	struct router_ops ops = {
		.deliver = on_one, .subscribed = on_subscribed,
		.lost = on_lost, .arg = &c
	};
	struct router_conf conf = { c.instance, &c.conf };

	pair_start(db);
	for (int i = 0; i < USERS; i++) {
		snprintf(names[i], sizeof(names[i]), "%d", i);
		users[i] = names[i];
	}
	node_start(&c, "c", db);
	router_free(&c.router);
	c.subscribed = false;
	c.router = router_new(l, c.redis, &conf, &ops);
	node_ready(&c);
}

static void many_stop(void)
{
	node_stop(&c);
	pair_stop();
}

static void online_at(const char *user, const struct node *n)
{
	register_at(user, n->instance);
	admin_run("SADD online:users %s", user);
}

/* Whatever was sent before has come, once this has. */
static void settle(const struct node *n, size_t got)
{
	struct envelope e = emit("settled", "x");

	register_at("settled", n->instance);
	route(&e, ROUTE_PLAIN);
	WAIT_FOR(l, n->got == got);
	admin_run("DEL pw:u:settled");
}

TestSuite(router_many, .timeout = 240);

Test(router_many, each_gets_it_once_where_he_is)
{
	many_start(1);
	for (int i = 0; i < USERS; i += 2) {
		online_at(names[i], &c);
		if (i % 4 == 0)
			online_at(names[i], &b);
		if (i % 10 == 0)
			online_at(names[i], &a);	/* the sender's own */
	}
	router_send_many(a.router, users, USERS, SLICE("hello"));
	memset(names, 'x', sizeof(names));	/* copied */
	for (int i = 0; i < USERS; i++)
		snprintf(names[i], sizeof(names[i]), "%d", i);
	WAIT_FOR(l, here.got == USERS / 2);
	for (int i = 0; i < USERS; i++)
		cr_assert_eq(here.of[i], i % 2 == 0, "%d", i);
	cr_expect_leq(here.envelopes, 4, "one for all of a call");
	cr_expect(!here.foreign);
	cr_expect(!here.gap);
	WAIT_FOR(l, b.got == USERS / 4);
	settle(&b, USERS / 4 + 1);
	cr_expect_eq(a.got, 0);
	cr_expect_eq(here.got, USERS / 2);
	many_stop();
}

Test(router_many, keeps_counters_in_step_with_what_else_is_sent)
{
	struct envelope e = emit("1", "hello");

	many_start(2);
	for (int i = 0; i < 300; i++)
		online_at(names[i], &c);
	for (int i = 0; i < 5; i++) {
		router_send(a.router, &e, ROUTE_PLAIN, NULL, NULL);
		router_send_many(a.router, users, 300, SLICE("hello"));
	}
	router_send(a.router, &e, ROUTE_PLAIN, NULL, NULL);
	WAIT_FOR(l, here.got == 5 * 300 + 6);
	cr_expect_eq(here.envelopes, 5 * 2 + 6);
	cr_expect(!here.gap);
	cr_expect(!here.foreign);
	cr_expect_eq(c.lost, 1, "but for the first subscription");
	many_stop();
}

Test(router_many, reaches_ids_of_any_length)
{
	static char longest[PW_ID_MAX + 1], shorter[PW_ID_MAX];
	const char *both[] = { longest, shorter };

	memset(longest, 'l', PW_ID_MAX);
	memset(shorter, 's', PW_ID_MAX - 1);
	many_start(3);
	online_at(longest, &b);
	online_at(shorter, &b);
	router_send_many(a.router, both, 2, SLICE("hello"));
	WAIT_FOR(l, b.got == 2);
	cr_expect_eq(b.lost, 1);
	many_stop();
}

Test(router_many, leaves_nothing_behind_for_nobody)
{
	struct envelope e = emit("nobody", "x");

	many_start(4);
	router_send_many(a.router, users, 0, SLICE("hello"));
	router_send_many(a.router, users, 10, SLICE("hello"));
	register_at("5", "gone:1:1");
	admin_run("SADD online:users 5");
	router_send_many(a.router, users, 10, SLICE("hello"));
	route(&e, ROUTE_PLAIN);
	cr_expect_eq(admin_int("EXISTS pw:n:gone:1:1"), 0);
	cr_expect_eq(admin_int("EXISTS pw:u:1"), 0);
	many_stop();
}
