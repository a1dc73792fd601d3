/* What waits for Redis, with the router and the store faked: its order, and that
 * nothing is lost or overtaken. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/store/message_store.h"
#include "tests/servers/loop_wait.h"
#include "worker/chat/catch_up.h"
#include "worker/chat/chat.h"
#include "worker/chat/emit.h"
#include "worker/chat/route.h"
#include "worker/chat/unrouted.h"

#define MAX 1000

/* --- what the fakes saw --- */
static struct {
	struct {
		enum envelope_kind kind;
		enum router_extra extra;
		int number;		/* of the message */
		router_cb *cb;
		void *arg;
	} routes[MAX];
	int nroutes;
	store_rows_cb *got;
	void *got_arg;
	int ids[MAX];			/* asked for */
	size_t nids;
	int ngets;
	int nlocal;
	int npushes;
} saw;

static int number_of(const char *id)
{
	return atoi(id + 4);
}

void router_send(struct router *r, const struct envelope *e, enum router_extra x,
		 router_cb *cb, void *arg)
{
	(void)r;
	cr_assert_lt(saw.nroutes, MAX);
	saw.routes[saw.nroutes].kind = e->kind;
	saw.routes[saw.nroutes].extra = x;
	saw.routes[saw.nroutes].number = number_of(e->id.p);
	saw.routes[saw.nroutes].cb = cb;
	saw.routes[saw.nroutes++].arg = arg;
}
void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg)
{
	(void)s;
	cr_assert_null(saw.got, "one page at a time");
	for (size_t i = 0; i < n; i++)
		saw.ids[i] = number_of(ids[i]);
	saw.nids = n;
	saw.ngets++;
	saw.got = cb;
	saw.got_arg = arg;
}
unsigned chat_local_message(struct chat *c, struct slice user_id,
			    const struct emission *e, const struct device *except)
{
	(void)c; (void)user_id; (void)e; (void)except;
	saw.nlocal++;
	return 0;
}
void chat_push_due(struct chat *c, const char *id)
{
	(void)c; (void)id;
	saw.npushes++;
}
void catch_up_user(struct chat *c, struct slice user_id) { (void)c; (void)user_id; }
bool catch_up_sent(struct device *d, const struct place *at) { (void)d; (void)at; return false; }
struct place place_of(const struct message *m)
{
	return (struct place){ 1, m->pos };
}

static struct chat c;
static const char *src;		/* of the messages to come */

static struct message message(int number)
{
	struct message m = {
		.match_id = "m1", .sender_id = "anna", .recipient_id = "ben",
		.content = SLICE("hi"), .src = src,
		.sent_at_ms = 1000, .pos = 1000000 + number,
	};

	snprintf(m.id, sizeof(m.id), "0000%020d", number);
	return m;
}

static void setup(void)
{
	clock_fake_set(1000000, 5000000000);
	c.loop = loop_new();
	src_init(&c.src, "h:b:1");
	src = "h:b:1";
	unrouted_init(&c);
}

static void teardown(void)
{
	unrouted_free(&c);
	buf_free(&c.scratch);
	loop_free(&c.loop);
}

TestSuite(unrouted, .init = setup, .fini = teardown, .timeout = 240);

static void accept_one(int number)
{
	struct message m = message(number);

	route_message(&c, &m, NULL);
}

/* The routes from the first unanswered on. */
static int answered;

static void answer_routes(int err)
{
	struct route_result r = { .receivers = err == 0 };

	for (; answered < saw.nroutes; answered++)
		saw.routes[answered].cb(saw.routes[answered].arg, err, &r);
}

static void answer_get(int err)
{
	store_rows_cb *cb = saw.got;
	struct message rows[100];

	for (size_t i = 0; i < saw.nids; i++)
		rows[i] = message(saw.ids[i]);
	saw.got = NULL;
	cb(saw.got_arg, err, rows, err == 0 ? saw.nids : 0);
}

static void expect_routed(int first, int n)
{
	cr_assert_eq(saw.nroutes, answered + 2 * n);
	for (int i = 0; i < n; i++) {
		cr_expect_eq(saw.routes[answered + 2 * i].kind, ENV_MESSAGE);
		cr_expect_eq(saw.routes[answered + 2 * i].number, first + i);
		cr_expect_eq(saw.routes[answered + 2 * i + 1].kind, ENV_OWN_COPY);
		cr_expect_eq(saw.routes[answered + 2 * i + 1].number, first + i);
	}
}

Test(unrouted, waits_and_lets_nothing_pass)
{
	accept_one(0);
	accept_one(1);
	expect_routed(0, 2);
	cr_expect(!unrouted_waiting(&c, src));
	answer_routes(-ENOTCONN);
	cr_expect(unrouted_waiting(&c, src));
	cr_expect_eq(stats_get(STAT_unrouted), 2, "each once");
	accept_one(2);
	cr_expect_eq(saw.nroutes, 4, "not before those that wait");
	cr_expect_eq(saw.nlocal, 6, "devices here get it at once all the same");
	cr_expect_eq(saw.npushes, 0);

	unrouted_wake(&c);
	cr_assert_eq(saw.nids, 3);
	accept_one(3);
	answer_get(0);
	expect_routed(0, 3);
	answer_routes(0);
	WAIT_FOR(c.loop, saw.got != NULL);
	answer_get(0);
	expect_routed(3, 1);
	answer_routes(0);
	cr_expect(!unrouted_waiting(&c, src));
	cr_expect_eq(stats_get(STAT_unrouted), 0);
	accept_one(4);
	expect_routed(4, 1);
	answer_routes(0);
}

Test(unrouted, goes_page_by_page)
{
	for (int i = 0; i < 250; i++)
		unrouted_add(&c, message(i).id);
	unrouted_wake(&c);
	for (int from = 0; from < 250; from += 100) {
		int n = from < 200 ? 100 : 50;

		WAIT_FOR(c.loop, saw.got != NULL);
		cr_assert_eq(saw.nids, n);
		answer_get(0);
		expect_routed(from, n);
		answer_routes(0);
	}
	cr_expect(!unrouted_waiting(&c, src));
}

Test(unrouted, tries_a_failed_page_again)
{
	unrouted_add(&c, message(0).id);
	unrouted_add(&c, message(1).id);
	WAIT_FOR(c.loop, saw.got != NULL);	/* nobody says that Redis is well */
	answer_get(-ETIMEDOUT);
	cr_expect_eq(saw.nroutes, 0);
	WAIT_FOR(c.loop, saw.got != NULL);
	answer_get(0);
	expect_routed(0, 2);
	answer_routes(-ECONNRESET);
	cr_expect_eq(stats_get(STAT_unrouted), 2, "not once more");
	unrouted_wake(&c);
	answer_get(0);
	expect_routed(0, 2);
	answer_routes(0);
	cr_expect_eq(stats_get(STAT_unrouted), 0);
}

/* {delivered, read, age in s} -> is it routed to the recipient, and how? */
static const struct {
	bool delivered;
	bool read;
	int age_s;
	int routed;			/* -1: no, else router_extra */
} again[] = {
	{ false, false, 3600, ROUTE_UNREAD },
	{ true, false, 10, ROUTE_UNREAD },	/* other devices may not have it */
	{ true, true, 10, ROUTE_PLAIN },
	{ true, false, 100, -1 },	/* nor know whether they do */
};

static void on_again(void *arg, int err)
{
	*(int *)arg = err;
}

Test(unrouted, what_is_delivered_goes_where_a_repeat_is_known)
{
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		struct message m = message((int)i);
		int err = 1;

		m.pos = cluster_now_us() - again[i].age_s * 1000000LL;
		m.delivered_at_ms = again[i].delivered ? 2000 : 0;
		m.read_at_ms = again[i].read ? 2000 : 0;
		route_again(&c, &m, on_again, &err);
		cr_expect_eq(err, 1);
		cr_assert_eq(saw.nroutes - answered, again[i].routed == -1 ? 1 : 2);
		if (again[i].routed != -1)
			cr_expect_eq((int)saw.routes[answered].extra,
				     again[i].routed, "%zu", i);
		cr_expect_eq(saw.routes[saw.nroutes - 1].kind, ENV_OWN_COPY,
			     "its sender's devices in any case");
		answer_routes(0);
		cr_expect_eq(err, 0);
	}
}

Test(unrouted, gives_up_beyond_its_bound_and_begins_a_new_src)
{
	for (int i = 0; i < UNROUTED_MAX; i++)
		unrouted_add(&c, message(i).id);
	cr_expect_str_eq(src_now(&c.src), "h:b:1");
	accept_one(UNROUTED_MAX);
	cr_expect_eq(stats_get(STAT_unrouted), 1);
	cr_expect_str_eq(src_now(&c.src), "h:b:1.1");

	/* of the old one none is routed any more */
	unrouted_wake(&c);
	answer_get(0);
	cr_expect_eq(saw.nroutes, 0);
	cr_expect_eq(stats_get(STAT_unrouted), 0);
	cr_expect(unrouted_waiting(&c, "h:b:1"));
	accept_one(1);
	cr_expect_eq(saw.nroutes, 0);
	WAIT_FOR(c.loop, saw.got != NULL);
	answer_get(0);
	cr_expect_eq(saw.nroutes, 0);

	src = src_now(&c.src);
	accept_one(2);
	expect_routed(2, 1);
	answer_routes(0);
}

static void route_to_nobody(int number)
{
	struct route_result nobody = { 0 };

	accept_one(number);
	for (; answered < saw.nroutes; answered++)
		saw.routes[answered].cb(saw.routes[answered].arg, 0, &nobody);
}

Test(unrouted, absent_users_may_be_registering_again)
{
	unrouted_wake(&c);
	route_to_nobody(0);
	cr_expect_eq(saw.npushes, 1, "the first time Redis is well is no return");
	unrouted_wake(&c);
	route_to_nobody(1);
	cr_expect_eq(saw.npushes, 1);
	clock_fake_set(1000000 + 9000000, 5000000000);
	route_to_nobody(2);
	cr_expect_eq(saw.npushes, 2);
}

TestSuite(src, .timeout = 240);

Test(src, one_new_src_for_all_that_failed)
{
	struct src s;

	src_init(&s, "h:b:1");
	cr_expect_str_eq(src_now(&s), "h:b:1");
	src_cut(&s, "h:b:1");
	src_cut(&s, "h:b:1");
	cr_expect_str_eq(src_now(&s), "h:b:1.1");
	src_cut(&s, "h:b:1");
	cr_expect_str_eq(src_now(&s), "h:b:1.1", "of the same batch");
	src_cut(&s, "h:b:1.1");
	cr_expect_str_eq(src_now(&s), "h:b:1.2");
	cr_expect_eq(src_number(&s, "h:b:1"), 0);
	cr_expect_eq(src_number(&s, "h:b:1.17"), 17);
	cr_expect_eq(src_number(&s, "h:b:12"), 0);
}
