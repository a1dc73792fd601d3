/* The push queue's producer on Kafka: without a broker, with properties that are
 * none, and with the real broker. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/servers/kafka_producer_world.h"

TestSuite(kafka, .init = begin_world, .fini = end_world, .timeout = 240);

/* A free port that nobody listens on. */
Test(kafka, nobody_there)
{
	static struct adds s;
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct push_queue *q;

	timeout_ms = SHORT_MS;
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, n), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(url, sizeof(url), "kafka://127.0.0.1:%d", ntohs(a.sin_port));
	q = queue(NULL);
	watch_turns();
	add_numbered(q, &s, 0, 10);
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("nobody there");
	for (int i = 0; i < 10; i++)
		cr_expect_eq(s.one[i].err, -ENOTCONN, "%d", s.one[i].err);
	cr_expect_not(push_queue_up(q));
	cr_expect_eq(ups + downs, 0);
	push_queue_free(&q);
	close(fd);
}

Test(kafka, properties_that_librdkafka_does_not_take)
{
	static const struct {
		const char *url, *why;
	} rows[] = {
		{ "kafka://h?sasl.password=x&hunter2=y", "like number 2" },
		{ "kafka://h?linger.ms=hunter2", "value of property 1" },
		{ "kafka://h?security.protocol=hunter2", "value of property 1" },
		{ "kafka://h?acks=0", "acks" },
		{ "kafka://h?security.protocol=sasl_plaintext&sasl.mechanism=PLAIN",
		  "sasl.username" },
		{ "kafka://h?security.protocol=sasl_ssl&sasl.username=x&sasl.password=hunter2",
		  "sasl.mechanisms is GSSAPI unless" },
		{ "kafka://h?security.protocol=ssl&ssl.ca.location=/nowhere/hunter2.pem",
		  "ssl.ca.location: No such file or directory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct push_queue_conf conf = { .url = rows[i].url,
						.timeout_ms = 1000 };
		struct push_consumer_conf consumer = {
			.url = rows[i].url, .group = "g", .consumer = "c",
			.max_in_flight = 1, .claim_idle_ms = 6000,
			.timeout_ms = 1000,
		};
		char err[256] = "";

		cr_expect_null(push_queue_new(l, &conf, err), "%s", rows[i].url);
		cr_expect_not_null(strstr(err, rows[i].why), "%s", err);
		cr_expect_null(strstr(err, "hunter2"), "%s", err);
		cr_expect_null(push_consumer_new(l, &consumer, NULL, NULL, err),
			       "%s", rows[i].url);
		cr_expect_not_null(strstr(err, rows[i].why), "%s", err);
		err[0] = '\0';
		cr_expect_eq(push_queue_check(rows[i].url, err), -EINVAL);
		cr_expect_not_null(strstr(err, rows[i].why), "%s", err);
	}
}

Test(kafka, the_real_broker)
{
	static struct adds s;
	const char *there = getenv("PW_TEST_KAFKA");
	struct push_queue *q;
	struct topic t;
	char topic[64];

	if (there == NULL)
		cr_skip_test("PW_TEST_KAFKA is not set");
	snprintf(topic, sizeof(topic), "push_%d_%d", (int)getpid(), (int)time(NULL));
	snprintf(url, sizeof(url), "kafka://%s/%s?linger.ms=1", there, topic);
	q = queue(NULL);
	WAIT_FOR(l, push_queue_up(q));
	/* the first creates the topic */
	add(q, &s, "0", "user0", SLICE("0"));
	WAIT_FOR(l, s.called == 1);
	watch_turns();
	add_numbered(q, &s, 1, 3000);
	WAIT_FOR(l, s.called == s.n);
	expect_short_turns("3000 events to the real broker");
	t = topic_read(there, topic, 4);
	cr_expect_eq(t.n, (size_t)s.ok);
	for (int i = 0; i < s.n; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		cr_expect_eq(s.one[i].calls, 1);
		cr_expect_eq(topic_count(&t, text), s.one[i].err == 0, "%d", i);
	}
	cr_expect_geq(s.ok, 2999);
	free(t.entries);
	push_queue_free(&q);
}
