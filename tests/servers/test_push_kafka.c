/* The push queue's producer on Kafka, and a mock cluster that makes trouble. */
#include <errno.h>

#include "tests/servers/kafka_producer_world.h"
#include "tests/servers/redis_admin.h"

static void begin_mock(void)
{
	begin_world();
	brokers = mock_open(1, PUSH_STREAM, PARTITIONS);
	snprintf(url, sizeof(url), getenv("KDEBUG") ? "kafka://%s?debug=all" : "kafka://%s", brokers);
}

static void end_mock(void)
{
	mock_close();
	end_world();
}

TestSuite(kafka_mock, .init = begin_mock, .fini = end_mock, .timeout = 240);

Test(kafka_mock, each_is_queued_once_and_called_back_once)
{
	static struct adds s;
	struct push_queue *q = queue(NULL);

	cr_expect_not(push_queue_up(q));
	watch_turns();
	for (int i = 0; i < 4; i++) {
		add_numbered(q, &s, i * 1000, (i + 1) * 1000);
		loop_turn(l, 20);
	}
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("4000 events");
	cr_expect_eq(s.ok, s.n);
	cr_expect(push_queue_up(q));
	cr_expect_eq(ups, 1);
	expect_books(&s);
	push_queue_free(&q);
	cr_expect_eq(s.called, s.n);
	cr_expect_eq(downs, 0);
}

/* Murmur2 of these keys as the JVM's client has it: 0xd067cf64, 0x9fc97b14. */
Test(kafka_mock, a_user_is_where_the_jvm_s_client_puts_him)
{
	static struct adds s;
	struct push_queue *q = queue(NULL);
	struct topic t;

	add(q, &s, "a", "kafka", SLICE("1"));
	add(q, &s, "b", "1234", SLICE("2"));
	WAIT_FOR(l, s.called == s.n);
	t = topic_read(brokers, PUSH_STREAM, PARTITIONS);
	cr_assert_eq(t.n, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect_eq(t.entries[i].partition,
			     (strcmp(t.entries[i].key, "kafka") == 0 ?
			      0xd067cf64 : 0x9fc97b14) % 0x80000000 % PARTITIONS,
			     "%s", t.entries[i].key);
	free(t.entries);
	push_queue_free(&q);
}

Test(kafka_mock, errors_that_pass_repeat_nothing)
{
	static struct adds s;
	struct push_queue *q = queue(NULL);

	add_numbered(q, &s, 0, 10);
	WAIT_FOR(l, s.called == s.n);
	watch_turns();
	rd_kafka_mock_push_request_errors(mock, KAFKA_PRODUCE, 4,
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
		RD_KAFKA_RESP_ERR__TRANSPORT,
		RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
	for (int i = 1; i < 20; i++) {
		add_numbered(q, &s, i * 10, (i + 1) * 10);
		loop_turn(l, 20);
	}
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("injected errors");
	cr_expect_eq(s.ok, s.n, "%d of %d", s.ok, s.n);
	expect_books(&s);
	push_queue_free(&q);
}

Test(kafka_mock, a_broker_that_goes_away_and_comes_back)
{
	static struct adds s;
	struct push_queue *q;
	int n;

	timeout_ms = SHORT_MS;
	q = queue(NULL);
	add_numbered(q, &s, 0, 100);
	WAIT_FOR(l, s.called == s.n);
	watch_turns();
	rd_kafka_mock_broker_set_down(mock, 1);
	add_numbered(q, &s, 100, 200);
	WAIT_FOR(l, !push_queue_up(q));
	WAIT_FOR(l, s.called == s.n);	/* these are waited for, and time out */
	loop_turn(l, SHORT_MS);		/* now its absence is not short any more */
	n = s.n;
	add_numbered(q, &s, 200, 300);
	for (int i = 0; i < 10; i++)
		loop_turn(l, 0);
	cr_expect_eq(s.called, s.n, "refused at once while it is away");
	cr_expect_eq(s.one[n].err, -ENOTCONN);
	rd_kafka_mock_broker_set_up(mock, 1);
	WAIT_FOR(l, push_queue_up(q));
	add_numbered(q, &s, 300, 400);
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("broker away");
	for (int i = 300; i < 400; i++)
		cr_expect_eq(s.one[i].err, 0, "%d", s.one[i].err);
	cr_expect_eq(ups, 2);
	cr_expect_eq(downs, 1);
	expect_books(&s);
	push_queue_free(&q);
}

Test(kafka_mock, a_short_absence_loses_and_repeats_nothing)
{
	static struct adds s;
	struct push_queue *q = queue(NULL);

	add_numbered(q, &s, 0, 100);
	loop_turn(l, 3);
	rd_kafka_mock_broker_set_down(mock, 1);
	loop_turn(l, 300);
	rd_kafka_mock_broker_set_up(mock, 1);
	WAIT_FOR(l, s.called == s.n);
	cr_expect_eq(s.ok, s.n, "%d of %d", s.ok, s.n);
	expect_books(&s);
	push_queue_free(&q);
}

/* It takes connections and does not answer. */
Test(kafka_mock, a_broker_that_stands_still)
{
	static struct adds s;
	struct push_queue *q;
	int unknown = 0;

	timeout_ms = SHORT_MS;
	q = queue(NULL);
	add_numbered(q, &s, 0, 10);
	WAIT_FOR(l, s.called == s.n);
	watch_turns();
	rd_kafka_mock_broker_set_rtt(mock, 1, 60000);
	add_numbered(q, &s, 10, 20);
	WAIT_FOR(l, s.called == s.n);
	for (int i = 10; i < 20; i++) {
		unknown += s.one[i].err == -ETIMEDOUT;	/* sent; or waiting */
		cr_expect(s.one[i].err == -ETIMEDOUT ||
			  s.one[i].err == -ENOTCONN, "%d", s.one[i].err);
	}
	cr_expect_gt(unknown, 0);
	cr_expect_not(push_queue_up(q));
	rd_kafka_mock_broker_set_rtt(mock, 1, 0);
	WAIT_FOR(l, push_queue_up(q));
	add_numbered(q, &s, 20, 120);
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("no answers");
	for (int i = 20; i < 120; i++)
		cr_expect_eq(s.one[i].err, 0, "%d", s.one[i].err);
	expect_books(&s);
	push_queue_free(&q);
}

Test(kafka_mock, no_more_than_so_many_bytes_wait)
{
	static struct adds s;
	struct push_queue *q;
	char *big = calloc(1, 30000);
	int full = 0;

	timeout_ms = SHORT_MS;
	q = queue(NULL);
	add_numbered(q, &s, 0, 1);
	WAIT_FOR(l, s.called == s.n);
	rd_kafka_mock_broker_set_rtt(mock, 1, 60000);
	for (int i = 0; i < 1000; i++)
		add(q, &s, "x", "user1", (struct slice){ big, 30000 });
	WAIT_FOR(l, s.called == s.n);
	for (int i = 1; i < s.n; i++)
		full += s.one[i].err == -ENOSPC;
	cr_expect(full > 400 && full < 470, "%d", full);	/* 30 MB for 16 MiB */
	free(big);
	push_queue_free(&q);
}

/* What idempotence cannot survive. */
Test(kafka_mock, a_fatal_error_starts_it_anew)
{
	static struct adds s;
	struct push_queue *q = queue(NULL);
	int unknown = 0;

	add_numbered(q, &s, 0, 100);
	WAIT_FOR(l, s.called == s.n);
	watch_turns();
	rd_kafka_mock_push_request_errors(mock, KAFKA_PRODUCE, 1,
		RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	add_numbered(q, &s, 100, 200);
	WAIT_FOR(l, s.called == s.n);
	for (int i = 100; i < 200; i++)
		unknown += s.one[i].err == -ECONNRESET;
	cr_expect_gt(unknown, 0);
	cr_expect_eq(downs, 1);
	WAIT_FOR(l, push_queue_up(q));
	add_numbered(q, &s, 200, 300);
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("fatal error");
	for (int i = 200; i < 300; i++)
		cr_expect_eq(s.one[i].err, 0, "%d", s.one[i].err);
	expect_books(&s);
	push_queue_free(&q);
}

/* -1: none. The mock cluster may take 2 s for this. */
static void set_leaders(int broker)
{
	for (int i = 0; i < PARTITIONS; i++)
		rd_kafka_mock_partition_set_leader(mock, PUSH_STREAM, i, broker);
}

/* Brokers answer, and nothing gets through: it is started anew, in case that it
 * is librdkafka that is stuck; and that is said once. */
Test(kafka_mock, a_topic_without_leaders)
{
	static struct adds s;
	struct push_queue *q;
	int64_t until;

	timeout_ms = SHORT_MS;
	q = queue(NULL);
	add_numbered(q, &s, 0, 10);
	WAIT_FOR(l, s.called == s.n);
	set_leaders(-1);
	watch_turns();
	until = clock_mono_ms() + 60 * SHORT_MS;
	while (downs == 0) {
		cr_assert_lt(clock_mono_ms(), until, "not started anew");
		add_numbered(q, &s, s.n, s.n + 10);
		WAIT_FOR(l, s.called == s.n);
	}
	expect_short_turns("no leaders");
	set_leaders(1);
	watch_turns();
	WAIT_FOR(l, push_queue_up(q));
	until = s.n;
	add_numbered(q, &s, s.n, s.n + 100);
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("leaders again");
	for (int64_t i = until; i < s.n; i++)
		cr_expect_eq(s.one[i].err, 0, "%d", s.one[i].err);
	expect_books(&s);
	push_queue_free(&q);
}

/* What got through last may be long ago: of that no single event is to blame. */
Test(kafka_mock, an_event_that_times_out_after_a_quiet_time)
{
	static struct adds s;
	struct push_queue *q;

	timeout_ms = SHORT_MS;
	q = queue(NULL);
	add_numbered(q, &s, 0, 10);
	WAIT_FOR(l, s.called == s.n);
	loop_turn(l, 16 * SHORT_MS);
	set_leaders(-1);
	add_numbered(q, &s, 10, 11);
	WAIT_FOR(l, s.called == s.n);
	cr_expect_eq(s.one[10].err, -ENOTCONN);
	loop_turn(l, 100);
	cr_expect_eq(downs, 0, "not started anew");
	push_queue_free(&q);
}

Test(kafka_mock, an_end_with_adds_on_the_way)
{
	static struct adds s;
	struct push_queue *q = queue(NULL);
	int64_t at;

	add_numbered(q, &s, 0, 10);
	WAIT_FOR(l, s.called == s.n);
	add_numbered(q, &s, 10, 100);
	loop_turn(l, 1);
	add_numbered(q, &s, 100, 110);	/* these have not been looked at */
	at = clock_mono_ms();
	push_queue_free(&q);
	at = clock_mono_ms() - at;
	cr_log_info("freed in %d ms", (int)at);
	cr_expect_lt(at, 4 * LONG_MS);
	cr_expect_eq(s.called, s.n);
	for (int i = 100; i < 110; i++)
		cr_expect_eq(s.one[i].err, -ECANCELED);
	expect_books(&s);

	s.n = s.called = 0;
	q = queue(NULL);
	rd_kafka_mock_broker_set_rtt(mock, 1, 60000);
	add_numbered(q, &s, 0, 10);
	loop_turn(l, 50);
	at = clock_mono_ms();
	push_queue_free(&q);
	at = clock_mono_ms() - at;
	cr_log_info("freed without answers in %d ms", (int)at);
	cr_expect_lt(at, 4 * LONG_MS);	/* sooner than a delivery times out */
	cr_expect_eq(s.called, s.n);
}

/* Markers. */

static struct redis *redis;
static bool redis_is_up;

static void on_redis(void *arg, bool up)
{
	(void)arg;
	redis_is_up = up;
}

static void open_redis(unsigned db)
{
	struct redis_conf c = redis_test_conf("markers", db);

	c.timeout_ms = 60000;
	admin_open(db);
	redis = redis_new(l, &c, on_redis, NULL);
	WAIT_FOR(l, redis_is_up);
}

static size_t in_topic(const char *value)
{
	struct topic t = topic_read(brokers, PUSH_STREAM, PARTITIONS);
	size_t n = topic_count(&t, value);

	free(t.entries);
	return n;
}

Test(kafka_mock, a_marked_key_is_a_success_that_adds_nothing)
{
	static struct adds s;
	struct push_queue *q;

	timeout_ms = 10 * LONG_MS;	/* and Redis has a tenth of it to answer */
	open_redis(12);
	q = queue(redis);
	add(q, &s, "k1", "user1", SLICE("1"));
	WAIT_FOR(l, s.called == 1);
	WAIT_FOR(l, admin_int("EXISTS pw:push:k1") == 1);
	cr_expect_gt(admin_int("TTL pw:push:k1"), 172000);
	add(q, &s, "k1", "user1", SLICE("1"));
	add(q, &s, "k2", "user1", SLICE("2"));
	WAIT_FOR(l, s.called == 3);
	cr_expect_eq(s.ok, 3);
	cr_expect_eq(in_topic("1"), 1);
	cr_expect_eq(in_topic("2"), 1);

	/* refused: no marker */
	rd_kafka_mock_push_request_errors(mock, KAFKA_PRODUCE, 1,
		RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	add(q, &s, "k3", "user1", SLICE("3"));
	WAIT_FOR(l, s.called == 4);
	cr_expect_lt(s.one[3].err, 0);
	loop_turn(l, 50);
	cr_expect_eq(admin_int("EXISTS pw:push:k3"), 0);
	push_queue_free(&q);
	redis_free(&redis);
	admin_close();
}

/* On this connection it answers nothing until a list has an element. */
static void block_redis(void)
{
	static const struct slice argv[] = { { "BLPOP", 5 }, { "never", 5 }, { "0", 1 } };

	redis_command(redis, ARRAY_SIZE(argv), argv, NULL, NULL);
}

Test(kafka_mock, a_slow_redis_keeps_no_event_waiting)
{
	static struct adds s;
	struct push_queue *q;
	int64_t at;

	timeout_ms = 10 * LONG_MS;	/* a tenth of it is waited */
	open_redis(13);
	q = queue(redis);
	add(q, &s, "0", "user0", SLICE("0"));
	WAIT_FOR(l, s.called == 1);
	block_redis();
	at = clock_mono_ms();
	add_numbered(q, &s, 1, 20);
	WAIT_FOR(l, s.called == s.n);
	cr_expect_geq(clock_mono_ms() - at, LONG_MS);
	at = clock_mono_ms();
	add_numbered(q, &s, 20, 40);	/* now it is left alone */
	WAIT_FOR(l, s.called == s.n);
	cr_expect_lt(clock_mono_ms() - at, LONG_MS);
	cr_expect_eq(s.ok, s.n);
	expect_books(&s);
	/* freed while it is asked; what it says then is for nobody */
	push_queue_free(&q);
	redis_free(&redis);
	admin_close();
}
