/* The push queue's consumer on Kafka, with librdkafka's mock cluster. */
#include "tests/servers/kafka_taker.h"

static struct taker a;

/* Of partition 0. */
static const char *entry_of(int offset)
{
	static char entry[96];

	snprintf(entry, sizeof(entry), "%s/0/%d", topic, offset);
	return entry;
}

TestSuite(kafka_consumer, .timeout = 240);
TestSuite(kafka_real, .timeout = 240);

static void takes_each_event_once(void)
{
	begin(3, 4);
	make(200, 4);
	take(&a, "one", 1000, 1000);
	cr_expect_eq(push_consumer_lag(a.c), -1);
	a.ack = true;
	WAIT_LONG(l, given(&a) == 200);
	make(100, 4);
	WAIT_LONG(l, given(&a) == 300);
	cr_expect_eq(most(&a), 1);
	WAIT_FOR(l, push_consumer_lag(a.c) == 0);
	cr_expect_eq(a.ups, 1);
	cr_expect(push_consumer_up(a.c));
	cr_expect_eq(strncmp(a.all[0].entry, topic, strlen(topic)), 0);
	push_consumer_free(&a.c);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(committed(i), 75);
	take(&a, "one", 1000, 1000);
	WAIT_LONG(l, push_consumer_lag(a.c) == 0);
	cr_expect_eq(a.n, 0);
	push_consumer_free(&a.c);
	end();
}

Test(kafka_consumer, takes_each_event_once)
{
	takes_each_event_once();
}

Test(kafka_real, takes_each_event_once)
{
	use_real("takes_each_event_once");
	takes_each_event_once();
}

/* Only what follows the first without outcome is repeated. */
static void resumes_at_the_first_without_outcome(void)
{
	static const size_t acked[] = { 5, 1, 3, 0 };
	int64_t since;

	if (real)
		taker_session_ms = 30000;
	begin(1, 1);
	make(10, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 10);
	for (size_t i = 0; i < ARRAY_SIZE(acked); i++)
		ack(&a, acked[i]);
	push_consumer_ack(a.c, a.all[0].entry);		/* harmless */
	push_consumer_ack(a.c, entry_of(999));
	push_consumer_free(&a.c);
	cr_expect_eq(committed(0), 2);
	since = clock_mono_ms();
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 8);
	if (real)	/* a static member comes back: nobody waits */
		cr_expect_lt(clock_mono_ms() - since, 20000);
	loop_turn(l, 300);
	for (size_t i = 0; i < 8; i++)
		cr_expect_eq(a.all[i].number, (int)i + 2);
	a.ack = true;
	for (size_t i = 0; i < 8; i++)
		ack(&a, i);
	make(2, 1);
	WAIT_FOR(l, a.n == 10);
	push_consumer_free(&a.c);
	cr_expect_eq(committed(0), 12);
	end();
}

Test(kafka_consumer, resumes_at_the_first_without_outcome)
{
	resumes_at_the_first_without_outcome();
}

Test(kafka_real, resumes_at_the_first_without_outcome)
{
	use_real("resumes_at_the_first_without_outcome");
	resumes_at_the_first_without_outcome();
}

/* Committed while it goes on, too. */
Test(kafka_consumer, commits_as_outcomes_come)
{
	begin(1, 1);
	make(3, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 3);
	ack(&a, 1);
	loop_turn(l, 1500);
	cr_expect_eq(committed(0), -1);
	ack(&a, 0);
	WAIT_FOR(l, committed(0) == 2);
	push_consumer_free(&a.c);
	end();
}

Test(kafka_consumer, hands_out_no_more_than_max_in_flight)
{
	begin(1, 2);
	make(60, 2);
	take(&a, "one", 5, 1000);
	WAIT_LONG(l, a.n == 5);
	loop_turn(l, 1200);
	cr_expect_eq(a.n, 5);
	/* one may not have been fetched from yet */
	cr_expect(push_consumer_lag(a.c) == 55 || push_consumer_lag(a.c) == 25,
		  "%d", (int)push_consumer_lag(a.c));
	ack(&a, 0);
	WAIT_FOR(l, a.n == 6);
	ack(&a, 1);
	ack(&a, 2);
	WAIT_FOR(l, a.n == 8);
	loop_turn(l, 50);
	cr_expect_eq(a.n, 8);
	for (size_t i = 3; i < 60; i++) {
		WAIT_FOR(l, a.n > i);
		ack(&a, i);
	}
	cr_expect_eq(given(&a), 60);
	cr_expect_eq(most(&a), 1);
	cr_expect_leq(a.out_max, 5);
	push_consumer_free(&a.c);
	cr_expect_eq(committed(0) + committed(1), 60);
	end();
}

/* The window of a partition is bounded, too: the others go on. */
Test(kafka_consumer, holds_a_partition_that_waits_for_one)
{
	begin(1, 1);
	make(13000, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n > 0);
	a.ack = true;
	for (size_t i = 1; i < a.n; i++)
		ack(&a, i);
	WAIT_LONG(l, a.n >= 10000);
	loop_turn(l, 300);
	cr_expect_eq(a.n, 10000);
	ack(&a, 0);
	WAIT_LONG(l, given(&a) == 13000);
	cr_expect_eq(most(&a), 1);
	push_consumer_free(&a.c);
	cr_expect_eq(committed(0), 13000);
	end();
}

static void pauses_and_resumes(void)
{
	begin(1, 4);
	take(&a, "one", 100, 1000);
	push_consumer_pause(a.c, true);
	make(40, 4);
	WAIT_LONG(l, push_consumer_up(a.c));
	loop_turn(l, 5000);		/* it has joined by now */
	cr_expect_eq(a.n, 0);
	push_consumer_pause(a.c, false);
	WAIT_LONG(l, a.n == 40);
	push_consumer_pause(a.c, true);
	make(40, 4);
	for (size_t i = 0; i < 40; i++)
		ack(&a, i);
	loop_turn(l, 1000);
	cr_expect_eq(a.n, 40);
	push_consumer_pause(a.c, false);
	a.ack = true;
	WAIT_LONG(l, given(&a) == 80);
	cr_expect_eq(most(&a), 1);
	push_consumer_free(&a.c);
	cr_expect_eq(committed(0) + committed(1) + committed(2) + committed(3), 80);
	end();
}

Test(kafka_consumer, pauses_and_resumes)
{
	pauses_and_resumes();
}

Test(kafka_real, pauses_and_resumes)
{
	use_real("pauses_and_resumes");
	pauses_and_resumes();
}

static void reject(struct taker *t, size_t i, const char *reason)
{
	char text[16];
	struct push_reject r = { .entry = t->all[i].entry, .reason = reason,
				 .attempts = 3 };

	snprintf(text, sizeof(text), "%d", t->all[i].number);
	r.json = slice_of(text);
	push_consumer_reject(t->c, &r);
	t->out--;
}

static void expect_header(const rd_kafka_message_t *m, const char *name,
			  const char *want)
{
	rd_kafka_headers_t *headers;
	const void *value;
	size_t n;

	cr_assert_eq(rd_kafka_message_headers(m, &headers), 0);
	cr_assert_eq(rd_kafka_header_get_last(headers, name, &value, &n), 0,
		     "no header %s", name);
	if (want != NULL)
		cr_expect(n == strlen(want) && memcmp(value, want, n) == 0,
			  "%s: %.*s", name, (int)n, (const char *)value);
	else
		cr_expect_eq(n, 24);
}

/* The one dead letter. */
static void expect_dead_letter(const char *event, const char *source)
{
	rd_kafka_conf_t *k = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *tps =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_message_t *m;
	rd_kafka_t *rk;
	char err[256];

	topic_conf(k, "bootstrap.servers", brokers);
	topic_conf(k, "group.id", "reader");
	topic_conf(k, "enable.partition.eof", "true");
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, k, err, sizeof(err));
	cr_assert_not_null(rk, "%s", err);
	rd_kafka_topic_partition_list_add(tps, dead_letter, 0)->offset =
		RD_KAFKA_OFFSET_BEGINNING;
	cr_assert_eq(rd_kafka_assign(rk, tps), 0);
	rd_kafka_topic_partition_list_destroy(tps);
	m = rd_kafka_consumer_poll(rk, 30000);
	cr_assert(m != NULL && m->err == 0);
	cr_expect(m->len == strlen(event) && memcmp(m->payload, event, m->len) == 0);
	cr_expect(m->key_len == 3 && memcmp(m->key, "ann", 3) == 0);
	expect_header(m, "reason", "PayloadTooLarge: 5000 bytes");
	expect_header(m, "source", source);
	expect_header(m, "attempts", "3");
	expect_header(m, "time", NULL);
	rd_kafka_message_destroy(m);
	m = rd_kafka_consumer_poll(rk, 30000);
	cr_assert(m != NULL && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF);
	rd_kafka_message_destroy(m);
	rd_kafka_destroy(rk);
}

Test(kafka_consumer, rejected_goes_to_the_dead_letter)
{
	begin(1, 1);
	make(3, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 3);
	rd_kafka_mock_topic_set_error(mock, dead_letter,
				      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ack(&a, 0);
	reject(&a, 1, "PayloadTooLarge: 5000 bytes");
	reject(&a, 1, "PayloadTooLarge: 5000 bytes");
	push_consumer_ack(a.c, a.all[1].entry);	/* it has an outcome */
	ack(&a, 2);
	WAIT_FOR(l, committed(0) == 1);
	loop_turn(l, 1500);
	cr_expect_eq(committed(0), 1, "not before the dead letter is there");
	rd_kafka_mock_topic_set_error(mock, dead_letter, 0);
	WAIT_LONG(l, committed(0) == 3);
	expect_dead_letter("1", entry_of(1));
	push_consumer_free(&a.c);
	end();
}

static int lines;	/* logged as errors */

static bool take_line(enum log_level level, const char *who, struct slice text)
{
	(void)who;
	(void)text;
	lines += level == LOG_LVL_ERR;
	return false;
}

/* As many as may be in flight, and no topic for them. */
static void reject_all_in_vain(void)
{
	log_set_sink(take_line);
	begin(1, 1);
	rd_kafka_mock_topic_set_error(mock, dead_letter,
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	make(20, 1);
	take(&a, "one", 5, 1000);
	WAIT_LONG(l, a.n == 5);
	for (size_t i = 0; i < 5; i++)
		reject(&a, i, "PayloadTooLarge: 5000 bytes");
	WAIT_LONG(l, lines == 1);
}

/* They stay in the queue, one line says so, and all goes on once it is there. */
Test(kafka_consumer, no_dead_letter_topic)
{
	struct topic dead;

	reject_all_in_vain();
	loop_turn(l, 2000);	/* librdkafka has another word for it by then */
	cr_expect_eq(lines, 1);
	cr_expect_eq(a.n, 5);
	cr_expect_leq(committed(0), 0);
	a.ack = true;
	rd_kafka_mock_topic_set_error(mock, dead_letter, 0);
	WAIT_LONG(l, committed(0) == 20);
	dead = topic_read(brokers, dead_letter, 1);
	cr_expect_eq(dead.n, 5);
	free(dead.entries);
	push_consumer_free(&a.c);
	end();
}

/* It does not wait for them, and who comes next is given them again. */
Test(kafka_consumer, ends_without_a_dead_letter_topic)
{
	int64_t start;

	reject_all_in_vain();
	start = clock_mono_ms();
	push_consumer_free(&a.c);
	cr_expect_lt(clock_mono_ms() - start, 20000);
	cr_expect_leq(committed(0), 0);
	end();
}

/* One that no dead letter can hold blocks neither others nor its partition. */
Test(kafka_consumer, rejects_what_is_too_large_for_the_dead_letter)
{
	size_t n = 1100000;
	char *json = mem_alloc(n);
	struct push_reject r = { .json = { json, n }, .reason = "not an event",
				 .attempts = 1 };

	memset(json, 'x', n);
	begin(1, 1);
	make(3, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 3);
	r.entry = a.all[0].entry;
	push_consumer_reject(a.c, &r);
	free(json);
	reject(&a, 1, "PayloadTooLarge: 5000 bytes");
	ack(&a, 2);
	WAIT_LONG(l, committed(0) == 3);
	push_consumer_free(&a.c);
	end();
}

/* Nor do they wait for one, or for what librdkafka does once it has lost it. */
Test(kafka_consumer, dead_letters_need_no_producer_id)
{
	rd_kafka_resp_err_t refused[100];

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused[i] = RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
	begin(1, 1);
	make(1, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 1);
	rd_kafka_mock_push_request_errors_array(mock, KAFKA_INIT_PRODUCER_ID,
						ARRAY_SIZE(refused), refused);
	reject(&a, 0, "PayloadTooLarge: 5000 bytes");
	WAIT_FOR(l, committed(0) == 1);
	expect_dead_letter("0", entry_of(0));
	push_consumer_free(&a.c);
	end();
}

/* One rejected at the very end: it is there, and committed. How long a new
 * producer takes is the machine's; what takes too long comes again instead. */
static void free_brings_outcomes_home(void)
{
	taker_timeout_ms = 30000;
	begin(1, 1);
	make(2, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 2);
	reject(&a, 0, "PayloadTooLarge: 5000 bytes");
	ack(&a, 1);
	push_consumer_free(&a.c);
	cr_expect_eq(committed(0), 2);
	expect_dead_letter("0", entry_of(0));
	end();
}

Test(kafka_consumer, free_brings_outcomes_home)
{
	free_brings_outcomes_home();
}

Test(kafka_real, free_brings_outcomes_home)
{
	use_real("free_brings_outcomes_home");
	free_brings_outcomes_home();
}
