/* The push queue's consumers on Kafka as members of a group: they come and go,
 * and the cluster makes trouble. */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/servers/kafka_taker.h"

#define HEARTBEAT 12		/* ApiKeys, for injected errors */
#define FETCH 1
#define OFFSET_COMMIT 8
#define OFFSET_FETCH 9
#define FIND_COORDINATOR 10
#define SYNC_GROUP 14

static struct taker a, b;

TestSuite(kafka_group, .timeout = 240);
TestSuite(kafka_real, .timeout = 240);

static int64_t committed_sum(int partitions)
{
	int64_t sum = 0;

	for (int i = 0; i < partitions; i++)
		sum += committed(i) > 0 ? committed(i) : 0;
	return sum;
}

/* How often it was given these numbers, all together. */
static int times_of(const struct taker *t, int first, int end)
{
	int n = 0;

	for (int i = first; i < end; i++)
		n += t->times[i];
	return n;
}

static void ack_all(struct taker *t)
{
	t->ack = true;
	for (size_t i = 0; i < t->n; i++)
		push_consumer_ack(t->c, t->all[i].entry);
	t->out = 0;
}

/* What is in flight of a partition has its outcome before another gets it. Not on
 * the mock: it refuses a SyncGroup that comes after the leader's, and then the
 * commit while the group joins anew; a broker takes both. */
Test(kafka_real, splits_while_events_are_in_flight)
{
	use_real("splits_while_events_are_in_flight");
	begin(3, 4);
	make(40, 4);
	take(&a, "one", 1000, 30000);
	WAIT_LONG(l, a.n == 40);
	take(&b, "two", 1000, 30000);
	b.ack = true;
	loop_turn(l, 9000);		/* joined, and waiting for a */
	cr_expect_eq(b.n, 0);
	ack_all(&a);
	loop_turn(l, 100);
	while (b.n == 0) {
		make(4, 4);
		WAIT_LONG(l, given(&a) + given(&b) == made);
	}
	make(40, 4);
	WAIT_LONG(l, given(&a) + given(&b) == made);
	cr_expect_eq((int)(a.n + b.n), made, "%d of %d", (int)(a.n + b.n), made);
	cr_expect_geq(b.n, 20);
	cr_expect_geq(a.n, 60);
	push_consumer_free(&a.c);
	push_consumer_free(&b.c);
	cr_expect_eq(committed_sum(4), made);
	end();
}

/* An entry that takes longer than that is repeated, its late outcome ignored. Not on
 * the mock, for the same reason. */
Test(kafka_real, gives_back_in_time)
{
	use_real("gives_back_in_time");
	begin(1, 2);
	make(20, 2);
	take(&a, "one", 1000, 300);
	WAIT_LONG(l, a.n == 20);
	take(&b, "two", 1000, 300);
	WAIT_LONG(l, b.n == 10);
	loop_turn(l, 300);
	cr_expect_eq(b.n, 10);
	cr_expect_eq(most(&b), 1);
	ack_all(&a);
	WAIT_LONG(l, committed_sum(2) >= 10);
	loop_turn(l, 1500);		/* longer than from one commit to the next */
	cr_expect_eq(committed_sum(2), 10, "of the partition that it kept");
	ack_all(&b);
	WAIT_LONG(l, committed_sum(2) == 20);
	make(20, 2);
	WAIT_LONG(l, given(&a) + given(&b) == 50);
	cr_expect_eq(a.n + b.n, 50);
	push_consumer_free(&a.c);
	push_consumer_free(&b.c);
	end();
}

/* Another process, from before there are threads here; told later where. */
static pid_t spawn_taker(int *where_out, int *taken_out)
{
	int where[2], taken[2];
	size_t told = 0;
	ssize_t n;
	pid_t pid;

	cr_assert(pipe(where) == 0 && pipe(taken) == 0);
	pid = fork();
	if (pid != 0) {
		close(where[0]);
		close(taken[1]);
		*where_out = where[1];
		*taken_out = taken[0];
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	n = read(where[0], url, sizeof(url) - 1);
	if (n <= 0)
		_exit(1);
	url[n] = '\0';
	log_init("other", LOG_LVL_INFO);
	l = loop_new();
	take(&a, "other", 1000, 1000);
	for (;;) {
		loop_turn(l, 10);
		for (; told < a.n; told++)
			if (write(taken[1], "x", 1) != 1)
				_exit(1);
	}
}

static void killed(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

/* The mock never answers the next JoinGroup when a leader dies between the answer to
 * its own and its SyncGroup: there nobody joins beside the one who dies. */
static void takes_over_from_the_dead(bool beside)
{
	char taken[20];
	int where, from;
	pid_t pid = spawn_taker(&where, &from);

	begin(1, 4);
	make(20, 4);
	cr_assert_gt(write(where, url, strlen(url)), 0);
	for (size_t n = 0; n < 20;) {
		ssize_t some = read(from, taken, sizeof(taken) - n);

		cr_assert_gt(some, 0);
		n += (size_t)some;
	}
	if (!beside)
		killed(pid);
	take(&b, "two", 1000, 1000);
	if (beside) {
		loop_turn(l, 100);
		killed(pid);
	}
	b.ack = true;
	WAIT_LONG(l, given(&b) == 20);
	make(20, 4);
	WAIT_LONG(l, given(&b) == 40);
	cr_expect_eq(most(&b), 1);
	push_consumer_free(&b.c);
	cr_expect_eq(committed_sum(4), 40);
	close(where);
	close(from);
	end();
}

Test(kafka_group, takes_over_from_the_dead)
{
	takes_over_from_the_dead(false);
}

Test(kafka_real, takes_over_from_the_dead)
{
	use_real("takes_over_from_the_dead");
	takes_over_from_the_dead(true);
}

/* Connections are cut, requests fail, the coordinator moves. */
Test(kafka_group, survives_trouble)
{
	begin(3, 4);
	make(40, 4);
	take(&a, "one", 30, 1000);
	a.ack = true;
	WAIT_LONG(l, given(&a) == 40);
	rd_kafka_mock_push_request_errors(mock, FETCH, 3,
					  RD_KAFKA_RESP_ERR__TRANSPORT,
					  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
					  RD_KAFKA_RESP_ERR__TRANSPORT);
	rd_kafka_mock_push_request_errors(mock, OFFSET_COMMIT, 2,
					  RD_KAFKA_RESP_ERR__TRANSPORT,
					  RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
	rd_kafka_mock_push_request_errors(mock, HEARTBEAT, 2,
					  RD_KAFKA_RESP_ERR__TRANSPORT,
					  RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
	make(40, 4);
	WAIT_LONG(l, given(&a) == 80);
	rd_kafka_mock_coordinator_set(mock, "group", group, 2);
	make(40, 4);
	WAIT_LONG(l, given(&a) == 120);
	WAIT_LONG(l, committed_sum(4) == 120);
	/* forgotten by the coordinator: all is lost, and comes again */
	a.ack = false;
	make(8, 4);
	WAIT_LONG(l, given(&a) == 128);
	rd_kafka_mock_push_request_errors(mock, HEARTBEAT, 1,
					  RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
	WAIT_LONG(l, times_of(&a, 120, 128) >= 2 * 8);
	ack_all(&a);
	make(40, 4);
	WAIT_LONG(l, given(&a) == 168);
	push_consumer_free(&a.c);
	cr_expect_eq(committed_sum(4), 168);
	end();
}

Test(kafka_group, waits_for_a_broker)
{
	begin(1, 1);
	make(10, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 10);
	rd_kafka_mock_broker_set_down(mock, 1);
	WAIT_LONG(l, a.downs == 1);
	cr_expect_not(push_consumer_up(a.c));
	for (size_t i = 0; i < 10; i++)
		ack(&a, i);
	loop_turn(l, 1000);
	rd_kafka_mock_broker_set_up(mock, 1);
	WAIT_LONG(l, a.ups >= 2);
	make(10, 1);
	a.ack = true;
	WAIT_LONG(l, given(&a) == 20);
	WAIT_LONG(l, committed(0) == 20);
	push_consumer_free(&a.c);
	end();
}

static int lines, todos;	/* warnings about a topic; those that help */
static int strangers;		/* and about the group */
static int refusals;		/* and that nothing is taken */
static int joins;		/* of librdkafka's own: the group lets it in */

static bool take_line(enum log_level level, const char *who, struct slice text)
{
	char line[512];

	(void)who;
	snprintf(line, sizeof(line), "%.*s", (int)text.n, text.p);
	joins += strstr(line, "JoinGroup response: ") != NULL;
	refusals += strstr(line, "nothing is taken") != NULL;
	lines += level <= LOG_LVL_WARN && strstr(line, "topic ") != NULL;
	todos += strstr(line, "kafka-topics.sh --create --topic ") != NULL;
	strangers += strstr(line, "Group authorization failed") != NULL;
	return false;
}

/* A topic that is not there yet, or not ours to read. */
static void expect_no_topic(void)
{
	log_set_sink(take_line);
	take(&a, "one", 100, 1000);
	a.ack = true;
	WAIT_LONG(l, lines == 1);
	loop_turn(l, 1500);
	cr_expect(!push_consumer_up(a.c));
	cr_expect_eq(push_consumer_lag(a.c), -1);
	cr_expect_eq(lines, 1);
}

static void expect_topic(void)
{
	make(10, 2);
	WAIT_LONG(l, given(&a) == 10);
	cr_expect(push_consumer_up(a.c));
	push_consumer_free(&a.c);
	end();
}

Test(kafka_group, waits_for_its_topic)
{
	begin(1, 2);
	rd_kafka_mock_topic_set_error(mock, topic,
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	expect_no_topic();
	cr_expect_eq(todos, 1);
	rd_kafka_mock_topic_set_error(mock, topic, 0);
	expect_topic();
}

/* Its topic goes, and another of its name comes: nothing of the first one keeps
 * librdkafka from ending. */
Test(kafka_group, ends_after_its_topic_was_made_anew)
{
	int threads;

	begin(1, 2);
	make(10, 2);
	threads = rd_kafka_thread_cnt();
	take(&a, "one", 100, 1000);
	a.ack = true;
	WAIT_LONG(l, given(&a) == 10);
	WAIT_LONG(l, push_consumer_lag(a.c) == 0);
	rd_kafka_mock_topic_set_error(mock, topic,
				      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	WAIT_LONG(l, push_consumer_lag(a.c) == -1);
	rd_kafka_mock_topic_set_error(mock, topic, 0);
	make(10, 2);
	WAIT_LONG(l, given(&a) == 20);
	push_consumer_free(&a.c);
	cr_expect_eq(rd_kafka_thread_cnt(), threads);
	end();
}

Test(kafka_real, waits_for_its_topic)
{
	use_real("waits");
	begin(1, 1);
	strcat(topic, "_later");
	snprintf(url, sizeof(url), "kafka://%s/%s?fetch.wait.max.ms=20", brokers, topic);
	expect_no_topic();
	cr_expect_eq(todos, 1);
	create_topic(topic, 2);
	expect_topic();
}

Test(kafka_group, waits_until_it_may_read_its_topic)
{
	begin(1, 2);
	rd_kafka_mock_topic_set_error(mock, topic,
				      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	expect_no_topic();
	cr_expect_eq(todos, 0);
	rd_kafka_mock_topic_set_error(mock, topic, 0);
	expect_topic();
}

/* Fetches alone are refused, for it may know the topic: for longer than it takes
 * to look whether they still are. That this is over is seen without an event. */
Test(kafka_group, waits_until_it_may_fetch)
{
	rd_kafka_resp_err_t refused[100];

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused[i] = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
	begin(1, 1);
	strcat(url, "&fetch.error.backoff.ms=10");	/* a second, for this one */
	make(1, 1);
	take(&a, "one", 100, 1000);
	a.ack = true;
	WAIT_LONG(l, a.n == 1 && push_consumer_up(a.c));
	rd_kafka_mock_push_request_errors_array(mock, FETCH, ARRAY_SIZE(refused),
						refused);
	WAIT_LONG(l, !push_consumer_up(a.c));
	loop_turn(l, 17000);
	cr_expect(!push_consumer_up(a.c));
	rd_kafka_mock_clear_request_errors(mock, FETCH);
	WAIT_LONG(l, push_consumer_up(a.c));
	make(1, 1);
	WAIT_LONG(l, a.n == 2);
	push_consumer_free(&a.c);
	end();
}

/* A group that is not ours is as good as no topic. */
Test(kafka_group, waits_until_it_may_join)
{
	rd_kafka_resp_err_t refused[100];

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused[i] = RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
	begin(1, 1);
	rd_kafka_mock_push_request_errors_array(mock, FIND_COORDINATOR,
						ARRAY_SIZE(refused), refused);
	log_set_sink(take_line);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, strangers == 1);
	loop_turn(l, 1500);
	cr_expect(!push_consumer_up(a.c));
	rd_kafka_mock_clear_request_errors(mock, FIND_COORDINATOR);
	WAIT_LONG(l, push_consumer_up(a.c));
	cr_expect_eq(a.n, 0);
	push_consumer_free(&a.c);
	end();
}

/* Where its partitions begin is not told: librdkafka asks once. */
static void expect_no_begins(rd_kafka_resp_err_t err)
{
	rd_kafka_resp_err_t refused[100];

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused[i] = err;
	begin(1, 2);
	make(10, 2);
	rd_kafka_mock_push_request_errors_array(mock, OFFSET_FETCH,
						ARRAY_SIZE(refused), refused);
	log_set_sink(take_line);
	take(&a, "one", 100, 1000);
	a.ack = true;
	WAIT_LONG(l, refusals == 1 && !push_consumer_up(a.c));
	loop_turn(l, 9000);		/* longer than until it asks again */
	cr_expect(!push_consumer_up(a.c));
	cr_expect_eq(refusals, 1, "%d lines", refusals);
	cr_expect_eq(a.n, 0);
	rd_kafka_mock_clear_request_errors(mock, OFFSET_FETCH);
	WAIT_LONG(l, a.n == 10);
	WAIT_LONG(l, push_consumer_up(a.c));
	make(10, 2);
	WAIT_LONG(l, given(&a) == 20);
	cr_expect_eq(most(&a), 1);
	push_consumer_free(&a.c);
	cr_expect_eq(committed_sum(2), 20);
	end();
}

Test(kafka_group, waits_until_it_is_told_where_it_was)
{
	expect_no_begins(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
}

Test(kafka_group, asks_again_where_it_was)
{
	expect_no_begins(RD_KAFKA_RESP_ERR_UNKNOWN);
}

/* Its end does not wait for a cluster that is gone: for no longer than it is told
 * to, and not for the end of its session, as librdkafka would have it. */
static void ends_soon(struct taker *t)
{
	int64_t start = clock_mono_ms();

	push_consumer_free(&t->c);
	cr_expect_lt(clock_mono_ms() - start, 20000, "%d ms",
		     (int)(clock_mono_ms() - start));
}

Test(kafka_group, ends_without_a_broker)
{
	taker_timeout_ms = 2000;
	taker_session_ms = 60000;
	begin(1, 1);
	make(10, 1);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 10);
	rd_kafka_mock_broker_set_down(mock, 1);
	WAIT_LONG(l, a.downs == 1);
	ack_all(&a);
	loop_turn(l, 1500);		/* librdkafka wants to commit */
	ends_soon(&a);
	/* nor for one that it has never seen, or not yet joined */
	take(&a, "one", 100, 1000);
	loop_turn(l, 50);
	ends_soon(&a);
	rd_kafka_mock_broker_set_up(mock, 1);
	take(&a, "one", 100, 1000);
	loop_turn(l, 500);
	ends_soon(&a);
	end();
}

/* Let into the group, and not told yet what is its own: 2.0 would abort(). */
Test(kafka_group, ends_while_it_joins)
{
	rd_kafka_resp_err_t refused[100];

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused[i] = RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
	taker_timeout_ms = 2000;
	begin(1, 1);
	rd_kafka_mock_push_request_errors_array(mock, SYNC_GROUP,
						ARRAY_SIZE(refused), refused);
	log_configure(LOG_LVL_DEBUG);
	log_set_sink(take_line);
	strcat(url, "&debug=cgrp");
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, joins > 0);
	ends_soon(&a);
	end();
}

/* Another has our name: we begin anew, and lose nothing. */
Test(kafka_group, begins_anew_when_fenced)
{
	begin(1, 2);
	make(10, 2);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 10);
	for (size_t i = 0; i < 5; i++)
		ack(&a, i);
	loop_turn(l, 10);
	rd_kafka_mock_push_request_errors(mock, HEARTBEAT, 1,
					  RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	WAIT_LONG(l, a.downs == 1);
	a.ack = true;
	WAIT_LONG(l, a.n >= 15);	/* those without outcome */
	make(10, 2);
	WAIT_LONG(l, given(&a) == 20);
	cr_expect_leq(most(&a), 2);
	cr_expect_eq(a.ups, 2);
	push_consumer_free(&a.c);
	cr_expect_eq(committed_sum(2), 20);
	end();
}

/* Resumed, or with room again, while there was no client. */
Test(kafka_group, goes_on_after_what_came_while_it_was_given_up)
{
	begin(1, 2);
	make(10, 2);
	take(&a, "one", 10, 1000);
	WAIT_LONG(l, a.n == 10);
	rd_kafka_mock_push_request_errors(mock, HEARTBEAT, 1,
					  RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	WAIT_LONG(l, a.downs == 1);
	ack_all(&a);
	WAIT_LONG(l, a.n == 20);
	push_consumer_pause(a.c, true);
	rd_kafka_mock_push_request_errors(mock, HEARTBEAT, 1,
					  RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	WAIT_LONG(l, a.downs == 2);
	push_consumer_pause(a.c, false);
	make(10, 2);
	WAIT_LONG(l, given(&a) == 20);
	push_consumer_free(&a.c);
	end();
}

/* The later one fences the earlier: both try on, and nothing is lost. One of them
 * only has outcomes, so that all that it is given must come to the other. */
Test(kafka_real, two_of_one_name)
{
	use_real("two_of_one_name");
	begin(1, 2);
	make(10, 2);
	take(&a, "one", 100, 1000);
	WAIT_LONG(l, a.n == 10);
	take(&b, "one", 100, 1000);
	b.ack = true;
	WAIT_LONG(l, a.downs > 0 && b.n > 0);
	push_consumer_free(&a.c);
	make(10, 2);
	WAIT_LONG(l, given(&b) == 20);
	push_consumer_free(&b.c);
	cr_expect_eq(committed_sum(2), 20);
	end();
}
