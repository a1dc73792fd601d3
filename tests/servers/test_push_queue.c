/* The push queue on Redis Streams. */
#include <errno.h>
#include <signal.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/push_queue.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"

static struct loop *l;
static char url[128];

static void begin(unsigned db)
{
	struct redis_conf c = redis_test_conf("push", db);

	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	admin_open(db);
	snprintf(url, sizeof(url), "redis://%s:%u/%u", c.host, c.port, db);
}

static void end(void)
{
	admin_close();
	loop_free(&l);
}

static struct push_queue *queue(uint64_t limit)
{
	struct push_queue_conf conf = { .url = url, .limit = limit,
					.timeout_ms = 2000 };
	char err[256];
	struct push_queue *q = push_queue_new(l, &conf, err);

	cr_assert_not_null(q, "%s", err);
	return q;
}

static void on_added(void *arg, int err)
{
	*(int *)arg = err;
}

/* Until the connection is up an add is refused: try on. */
static int add(struct push_queue *q, const char *key, const char *json)
{
	struct slice event = { json, strlen(json) };
	int err;

	do {
		err = 1;
		push_queue_add(q, key, "ann", event, on_added, &err);
		cr_assert_eq(err, 1, "called back before the return");
		WAIT_FOR(l, err <= 0);
	} while (err == -ENOTCONN);
	return err;
}

/* A consumer, and what it was given. */
struct taker {
	struct push_consumer *c;
	size_t n;
	char entries[64][48];
	char events[64][32];
	bool ack;		/* each at once */
};

static void on_event(void *arg, const char *entry, struct slice json)
{
	struct taker *t = arg;

	cr_assert_lt(t->n, 64);
	snprintf(t->entries[t->n], sizeof(t->entries[0]), "%s", entry);
	snprintf(t->events[t->n], sizeof(t->events[0]), "%.*s", (int)json.n,
		 json.p);
	t->n++;
	if (t->ack)
		push_consumer_ack(t->c, entry);
}

static void take(struct taker *t, const char *name, unsigned max,
		 unsigned idle_ms)
{
	struct push_consumer_conf conf = {
		.url = url, .group = "pushd", .consumer = name,
		.max_in_flight = max, .claim_idle_ms = idle_ms,
		.timeout_ms = 2000,
	};
	char err[256];

	*t = (struct taker){ 0 };
	t->c = push_consumer_new(l, &conf, on_event, t, err);
	cr_assert_not_null(t->c, "%s", err);
}

static long long waiting(void)
{
	return admin_int("XLEN %s", PUSH_STREAM);
}

static void add_numbered(struct push_queue *q, int from, int to)
{
	char text[16];

	for (int i = from; i < to; i++) {
		snprintf(text, sizeof(text), "%d", i);
		cr_assert_eq(add(q, text, text), 0);
	}
}

TestSuite(push_queue, .timeout = 60);

Test(push_queue, queues_each_key_once)
{
	struct push_queue *q;
	redisReply *r;
	redisReply **field;
	long long ttl;

	begin(1);
	q = queue(100);
	cr_expect_eq(add(q, "k1", "{\"a\":1}"), 0);
	cr_expect_eq(add(q, "k1", "{\"a\":1}"), 0);
	cr_expect_eq(waiting(), 1);
	ttl = admin_int("TTL pw:push:k1");
	cr_expect(ttl > 172000 && ttl <= 172800, "ttl %lld", ttl);
	r = admin_do("XRANGE %s - +", PUSH_STREAM);
	cr_assert_eq(r->element[0]->element[1]->elements, 4);
	field = r->element[0]->element[1]->element;
	cr_expect_str_eq(field[0]->str, "event");
	cr_expect_str_eq(field[1]->str, "{\"a\":1}");
	cr_expect_str_eq(field[2]->str, "key");
	cr_expect_str_eq(field[3]->str, "k1");
	freeReplyObject(r);
	push_queue_free(&q);
	end();
}

Test(push_queue, refuses_at_the_limit)
{
	enum { N = 250 };
	struct push_queue *q;
	int err[N];
	char key[16];

	begin(2);
	q = queue(2);
	cr_expect_eq(add(q, "k1", "1"), 0);
	for (int i = 0; i < N; i++) {	/* in one turn, three calls */
		err[i] = 1;
		snprintf(key, sizeof(key), "n%d", i);
		push_queue_add(q, key, "ann", SLICE("2"), on_added, &err[i]);
	}
	WAIT_FOR(l, err[N - 1] <= 0);
	cr_expect_eq(err[0], 0);
	for (int i = 1; i < N; i++)
		cr_expect_eq(err[i], -ENOSPC);
	cr_expect_eq(waiting(), 2, "never trimmed");
	cr_expect_eq(admin_int("EXISTS pw:push:n1"), 0);
	cr_expect_eq(add(q, "k1", "1"), 0, "it is queued already");
	admin_run("XTRIM %s MAXLEN 1", PUSH_STREAM);
	cr_expect_eq(add(q, "n1", "3"), 0, "there is room again");
	push_queue_free(&q);
	end();
}

Test(push_queue, fails_later_when_redis_is_down)
{
	struct push_queue *q;
	int err = 1;

	begin(3);
	strcpy(url, "redis://127.0.0.1:1");
	q = queue(2);
	push_queue_add(q, "k", "ann", SLICE("1"), on_added, &err);
	cr_expect_eq(err, 1);
	WAIT_FOR(l, err <= 0);
	cr_expect_eq(err, -ENOTCONN);
	err = 1;
	push_queue_add(q, "k", "ann", SLICE("1"), on_added, &err);
	push_queue_free(&q);
	cr_expect_eq(err, -ECANCELED);
	end();
}

static void on_state(void *arg, bool up)
{
	*(int *)arg += up ? 1 : 100;
}

Test(push_queue, tells_whether_it_is_reachable)
{
	struct push_queue_conf conf = { .limit = 1, .timeout_ms = 2000,
					.state = on_state };
	struct push_queue *q;
	char err[256];
	int states = 0;

	begin(3);
	conf.url = url;
	conf.arg = &states;
	q = push_queue_new(l, &conf, err);
	cr_expect_not(push_queue_up(q));
	WAIT_FOR(l, states == 1);
	cr_expect(push_queue_up(q));
	admin_run("CLIENT KILL TYPE normal SKIPME yes");
	WAIT_FOR(l, states == 102);
	cr_expect(push_queue_up(q));
	push_queue_free(&q);
	end();
}

Test(push_queue, refuses_a_bad_url)
{
	struct push_queue_conf conf = { .url = "amqp://x", .limit = 1,
					.timeout_ms = 1 };
	char err[256] = "";

	begin(4);
	cr_expect_null(push_queue_new(l, &conf, err));
	cr_expect_str_neq(err, "");
	conf.url = "redis://host:port";
	cr_expect_null(push_queue_new(l, &conf, err));
	end();
}

Test(push_queue, hands_out_no_more_than_max_in_flight)
{
	struct push_queue *q;
	struct taker t;

	begin(5);
	q = queue(100);
	add_numbered(q, 0, 10);		/* before there is a group */
	take(&t, "c1", 4, 60000);
	WAIT_FOR(l, t.n == 4);
	loop_turn(l, 100);
	cr_expect_eq(t.n, 4);
	push_consumer_ack(t.c, t.entries[1]);
	push_consumer_ack(t.c, t.entries[1]);	/* harmless */
	push_consumer_ack(t.c, t.entries[2]);
	WAIT_FOR(l, t.n == 6);
	loop_turn(l, 100);
	cr_expect_eq(t.n, 6);
	cr_expect_eq(waiting(), 8, "only what was acknowledged leaves");
	for (int i = 0; i < 10; i++) {
		char want[16];

		WAIT_FOR(l, t.n > (size_t)i);
		snprintf(want, sizeof(want), "%d", i);
		cr_expect_str_eq(t.events[i], want);
		push_consumer_ack(t.c, t.entries[i]);
	}
	WAIT_FOR(l, waiting() == 0);
	cr_expect_eq(t.n, 10);
	t.ack = true;
	cr_expect_eq(add(q, "late", "late"), 0);
	WAIT_FOR(l, t.n == 11);
	WAIT_FOR(l, waiting() == 0);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

Test(push_queue, begins_with_what_it_left_unacknowledged)
{
	struct push_queue *q;
	struct taker t;

	begin(6);
	q = queue(100);
	add_numbered(q, 0, 5);
	take(&t, "c1", 3, 60000);
	WAIT_FOR(l, t.n == 3);
	push_consumer_ack(t.c, t.entries[0]);
	WAIT_FOR(l, waiting() == 4);
	WAIT_FOR(l, t.n == 4);
	push_consumer_free(&t.c);
	cr_expect_eq(waiting(), 4);

	take(&t, "c1", 2, 60000);
	WAIT_FOR(l, t.n == 2);
	cr_expect_str_eq(t.events[0], "1");
	cr_expect_str_eq(t.events[1], "2");
	t.ack = true;
	push_consumer_ack(t.c, t.entries[0]);
	push_consumer_ack(t.c, t.entries[1]);
	WAIT_FOR(l, waiting() == 0);
	cr_expect_eq(t.n, 4);
	cr_expect_str_eq(t.events[3], "4");
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

Test(push_queue, claims_from_the_dead_and_not_from_the_busy)
{
	struct push_queue *q;
	struct taker dead, busy, heir;

	begin(7);
	q = queue(100);
	take(&dead, "dead", 2, 400);
	cr_assert_eq(add(q, "0", "0"), 0);
	WAIT_FOR(l, dead.n == 1);
	push_consumer_free(&dead.c);
	take(&busy, "busy", 1, 400);
	cr_assert_eq(add(q, "1", "1"), 0);
	WAIT_FOR(l, busy.n == 1);

	take(&heir, "heir", 10, 400);
	WAIT_FOR(l, heir.n == 1);
	cr_expect_str_eq(heir.events[0], "0");
	loop_turn(l, 1500);
	cr_expect_eq(heir.n, 1, "busy is only slow");
	cr_expect_eq(busy.n, 1);
	push_consumer_ack(heir.c, heir.entries[0]);
	push_consumer_ack(busy.c, busy.entries[0]);
	WAIT_FOR(l, waiting() == 0);
	push_consumer_free(&busy.c);
	push_consumer_free(&heir.c);
	push_queue_free(&q);
	end();
}

/* Both connections are cut: nothing comes twice, acknowledgements get through. */
Test(push_queue, survives_lost_connections)
{
	struct push_queue *q;
	struct taker t;

	begin(8);
	q = queue(100);
	add_numbered(q, 0, 3);
	take(&t, "c1", 10, 60000);
	WAIT_FOR(l, t.n == 3);
	cr_assert_geq(admin_kill("pairwire-push-reader"), 1);
	cr_assert_geq(admin_kill("pairwire-push-acks"), 1);
	push_consumer_ack(t.c, t.entries[0]);	/* lost on the way */
	add_numbered(q, 3, 5);
	WAIT_FOR(l, t.n == 5);
	cr_expect_str_eq(t.events[3], "3");
	cr_expect_str_eq(t.events[4], "4");
	WAIT_FOR(l, waiting() == 4);
	for (int i = 1; i < 5; i++)
		push_consumer_ack(t.c, t.entries[i]);
	WAIT_FOR(l, waiting() == 0);
	cr_expect_eq(t.n, 5);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

Test(push_queue, survives_an_emptied_redis)
{
	struct push_queue *q;
	struct taker t;

	begin(9);
	q = queue(100);
	take(&t, "c1", 10, 60000);
	t.ack = true;
	add_numbered(q, 0, 1);
	WAIT_FOR(l, t.n == 1);
	loop_turn(l, 50);
	admin_run("FLUSHDB");
	add_numbered(q, 0, 1);		/* the marker is gone too */
	WAIT_FOR(l, t.n == 2);
	WAIT_FOR(l, waiting() == 0);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

Test(push_queue, drops_what_is_no_event)
{
	struct push_queue *q;
	struct taker t;

	begin(10);
	q = queue(100);
	admin_run("XADD %s * foreign 1", PUSH_STREAM);
	take(&t, "c1", 1, 60000);
	add_numbered(q, 0, 1);
	WAIT_FOR(l, t.n == 1);
	cr_expect_str_eq(t.events[0], "0");
	cr_expect_eq(waiting(), 1);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}
