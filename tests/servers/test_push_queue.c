/* The push queue on Redis Streams. */
#include <errno.h>

#include "tests/servers/push_taker.h"

TestSuite(push_queue, .timeout = 240);

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
	struct push_queue_conf conf = { .limit = 1, .timeout_ms = timeout_ms,
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
	cr_assert_eq(admin_kill("pairwire-push-queue"), 1);
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

/* As if for so long nobody had said that he is busy with it. */
#define LONG_IDLE_MS 1000000

static void make_idle(const char *name, const char *entry)
{
	admin_run("XCLAIM %s pushd %s 0 %s IDLE %d JUSTID", PUSH_STREAM, name,
		  entry, LONG_IDLE_MS);
}

static long long idle_ms(const char *entry)
{
	redisReply *r = admin_do("XPENDING %s pushd %s %s 1", PUSH_STREAM, entry,
				 entry);
	long long ms;

	cr_assert_eq(r->elements, 1);
	ms = r->element[0]->element[2]->integer;
	freeReplyObject(r);
	return ms;
}

Test(push_queue, claims_from_the_dead_and_not_from_the_busy)
{
	struct push_queue *q;
	struct taker dead, busy, heir;

	begin(7);
	q = queue(100);
	take(&dead, "dead", 2, 60000);
	cr_assert_eq(add(q, "0", "0"), 0);
	WAIT_FOR(l, dead.n == 1);
	push_consumer_free(&dead.c);
	take(&busy, "busy", 1, 600);
	cr_assert_eq(add(q, "1", "1"), 0);
	WAIT_FOR(l, busy.n == 1);
	make_idle("dead", dead.entries[0]);
	make_idle("busy", busy.entries[0]);
	WAIT_FOR(l, idle_ms(busy.entries[0]) < LONG_IDLE_MS);
	cr_expect_geq(idle_ms(dead.entries[0]), LONG_IDLE_MS);

	take(&heir, "heir", 10, 10000);		/* looks after half of that */
	WAIT_FOR(l, heir.n == 1);
	cr_expect_str_eq(heir.events[0], "0");
	loop_turn(l, 100);
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
	WAIT_FOR(l, waiting() == 1);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

static void reject(struct taker *t, size_t i, const char *reason)
{
	struct push_reject r = {
		.entry = t->entries[i],
		.json = slice_of(t->events[i]),
		.reason = reason,
		.attempts = 3,
	};

	push_consumer_reject(t->c, &r);
}

static void expect_field(redisReply **field, const char *name, const char *value)
{
	cr_expect_str_eq(field[0]->str, name);
	cr_expect_str_eq(field[1]->str, value);
}

Test(push_queue, rejected_goes_to_the_dead_letter)
{
	struct push_queue *q;
	struct taker t;
	redisReply **field;
	redisReply *r;
	char source[80];

	begin(11);
	q = queue(100);
	add_numbered(q, 0, 3);
	take(&t, "c1", 10, 60000);
	WAIT_FOR(l, t.n == 3);
	admin_run("SET %s 1", PUSH_DEAD_LETTER);	/* no stream */
	push_consumer_ack(t.c, t.entries[0]);
	reject(&t, 1, "PayloadTooLarge: 5000 bytes");
	push_consumer_ack(t.c, t.entries[1]);	/* it has an outcome */
	push_consumer_ack(t.c, t.entries[2]);
	WAIT_FOR(l, waiting() == 1);
	loop_turn(l, 600);
	cr_expect_eq(waiting(), 1, "not before the dead letter is there");
	admin_run("DEL %s", PUSH_DEAD_LETTER);
	WAIT_FOR(l, waiting() == 0);
	r = admin_do("XRANGE %s - +", PUSH_DEAD_LETTER);
	cr_assert_eq(r->elements, 1);
	cr_assert_eq(r->element[0]->element[1]->elements, 10);
	field = r->element[0]->element[1]->element;
	expect_field(field, "event", "1");
	expect_field(field + 2, "reason", "PayloadTooLarge: 5000 bytes");
	snprintf(source, sizeof(source), "%s/%s", PUSH_STREAM, t.entries[1]);
	expect_field(field + 4, "source", source);
	expect_field(field + 6, "attempts", "3");
	cr_expect_str_eq(field[8]->str, "time");
	cr_expect_eq(strlen(field[9]->str), 24);
	freeReplyObject(r);
	r = admin_do("XPENDING %s pushd", PUSH_STREAM);
	cr_expect_eq(r->element[0]->integer, 0);
	freeReplyObject(r);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

/* As after a reply that got lost: it is there already, and comes again. */
Test(push_queue, repeated_rejection_is_one_dead_letter)
{
	struct push_queue *q;
	struct taker t, other;

	begin(12);
	q = queue(100);
	add_numbered(q, 0, 1);
	take(&t, "c1", 1, 60000);
	WAIT_FOR(l, t.n == 1);
	admin_run("XCLAIM %s pushd c2 0 %s", PUSH_STREAM, t.entries[0]);
	take(&other, "c2", 1, 60000);
	WAIT_FOR(l, other.n == 1);
	reject(&t, 0, "Unparsable");
	cr_assert_geq(admin_kill("pairwire-push-acks"), 1);
	reject(&other, 0, "Unparsable");
	add_numbered(q, 1, 3);
	WAIT_FOR(l, t.n == 2 && other.n == 2);
	cr_expect_eq(waiting(), 2);
	cr_expect_eq(admin_int("XLEN %s", PUSH_DEAD_LETTER), 1);
	push_consumer_free(&t.c);
	push_consumer_free(&other.c);
	push_queue_free(&q);
	end();
}

Test(push_queue, pauses_and_resumes)
{
	struct push_queue *q;
	struct taker t;

	begin(13);
	q = queue(100);
	take(&t, "c1", 50, 60000);
	add_numbered(q, 0, 2);
	WAIT_FOR(l, t.n == 2);
	push_consumer_pause(t.c, true);
	add_numbered(q, 2, 10);
	push_consumer_ack(t.c, t.entries[0]);
	WAIT_FOR(l, waiting() == 9);
	loop_turn(l, 1200);		/* longer than a read blocks */
	cr_expect_eq(t.n, 2);
	t.pause_at = 5;
	push_consumer_pause(t.c, false);
	WAIT_FOR(l, t.n == 5);
	loop_turn(l, 100);
	cr_expect_eq(t.n, 5, "paused in the middle of what came");
	push_consumer_pause(t.c, false);
	WAIT_FOR(l, t.n == 10);
	for (int i = 0; i < 10; i++) {
		char want[16];

		snprintf(want, sizeof(want), "%d", i);
		cr_expect_str_eq(t.events[i], want);
		push_consumer_ack(t.c, t.entries[i]);
	}
	WAIT_FOR(l, waiting() == 0);
	cr_expect_eq(t.n, 10);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

Test(push_queue, knows_how_far_it_is_behind)
{
	struct push_queue *q;
	struct taker t;

	begin(14);
	q = queue(100);
	add_numbered(q, 0, 12);
	take(&t, "c1", 4, 60000);
	cr_expect_eq(push_consumer_lag(t.c), -1);
	WAIT_FOR(l, push_consumer_lag(t.c) == 8);
	admin_run("XDEL %s %s", PUSH_STREAM, t.entries[3]);
	push_consumer_ack(t.c, t.entries[0]);
	WAIT_FOR(l, push_consumer_lag(t.c) == 7);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}

Test(push_queue, consumer_tells_whether_it_is_up)
{
	struct taker t;

	begin(15);
	take(&t, "c1", 4, 60000);
	cr_expect_not(push_consumer_up(t.c));
	WAIT_FOR(l, t.states == 1);
	cr_expect(push_consumer_up(t.c));
	cr_assert_geq(admin_kill("pairwire-push-acks"), 1);
	WAIT_FOR(l, t.states == 102);
	cr_expect(push_consumer_up(t.c));
	cr_assert_geq(admin_kill("pairwire-push-reader"), 1);
	WAIT_FOR(l, t.states == 203);
	push_consumer_free(&t.c);
	cr_expect_eq(t.states, 203);
	end();
}

/* What was acknowledged right before the end is known to Redis after it. */
Test(push_queue, free_brings_acknowledgements_home)
{
	struct push_queue *q;
	struct taker t;

	begin(1);
	q = queue(100);
	add_numbered(q, 0, 3);
	take(&t, "c1", 10, 60000);
	WAIT_FOR(l, t.n == 3);
	push_consumer_ack(t.c, t.entries[0]);
	reject(&t, 1, "Gone");
	push_consumer_free(&t.c);
	cr_expect_eq(waiting(), 1);
	cr_expect_eq(admin_int("XLEN %s", PUSH_DEAD_LETTER), 1);

	timeout_ms = 2000;
	take(&t, "c1", 10, 60000);	/* Redis refuses for ever: not for long */
	WAIT_FOR(l, t.n == 1);
	admin_run("DEL %s", PUSH_STREAM);
	admin_run("SET %s 1", PUSH_STREAM);
	push_consumer_ack(t.c, t.entries[0]);
	push_consumer_free(&t.c);
	push_queue_free(&q);
	end();
}
