/* For tests of the consumer on Kafka, librdkafka's mock or the real one: a topic
 * with numbered events, consumers and what each was given, and what the group has
 * committed. */
#ifndef PW_KAFKA_TAKER_H
#define PW_KAFKA_TAKER_H

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/queue/push_queue.h"
#include "tests/servers/kafka_admin.h"
#include "tests/servers/loop_wait.h"

#define NUMBERS 20000
#define SESSION_MS 6000		/* brokers want no less; later joins wait for it */

/* Joins, and members that vanish, take a session's time. */
#define WAIT_LONG(l, cond)                                              \
	do {                                                            \
		int64_t long_end_ = clock_mono_ms() + 60000;            \
		while (!(cond)) {                                       \
			cr_assert(clock_mono_ms() < long_end_,          \
				  "still not after 60 s: %s", #cond);   \
			loop_turn((l), 5);                              \
		}                                                       \
	} while (0)

static struct loop *l;
static const char *brokers;
static char url[256];
static char topic[64] = PUSH_STREAM;
static char dead_letter[80] = PUSH_DEAD_LETTER;
static char group[64] = "pushd";
static bool real;		/* topic and group are of this test only */
static rd_kafka_t *writer;
static int made;		/* numbers given to events */

/* First of all in a test that wants the real one. */
static inline void use_real(const char *name)
{
	brokers = getenv("PW_TEST_KAFKA");
	if (brokers == NULL)
		cr_skip_test("PW_TEST_KAFKA is not set");
	real = true;
	snprintf(group, sizeof(group), "%s_%d_%d", name, (int)getpid(),
		 (int)time(NULL));
	strcpy(topic, group);
	snprintf(dead_letter, sizeof(dead_letter), "%s.dlq", topic);
}

static inline void create_topic(const char *name, int partitions)
{
	char err[256];
	rd_kafka_NewTopic_t *new = rd_kafka_NewTopic_new(name, partitions, 1, err,
							 sizeof(err));
	rd_kafka_queue_t *answers = rd_kafka_queue_new(writer);
	rd_kafka_event_t *ev;

	rd_kafka_CreateTopics(writer, &new, 1, NULL, answers);
	ev = rd_kafka_queue_poll(answers, 20000);
	cr_assert(ev != NULL && rd_kafka_event_error(ev) == 0, "cannot create %s",
		  name);
	rd_kafka_event_destroy(ev);
	rd_kafka_queue_destroy(answers);
	rd_kafka_NewTopic_destroy(new);
}

static inline void begin(int nbrokers, int partitions)
{
	rd_kafka_conf_t *k = rd_kafka_conf_new();
	char err[256];

	signal(SIGPIPE, SIG_IGN);
	log_init("test", getenv("KDEBUG") != NULL ? LOG_LVL_DEBUG : LOG_LVL_INFO);
	l = loop_new();
	if (!real) {
		brokers = mock_open(nbrokers, topic, partitions);
		cr_assert_eq(rd_kafka_mock_topic_create(mock, dead_letter, 1, 1), 0);
	}
	snprintf(url, sizeof(url), "kafka://%s/%s?fetch.wait.max.ms=20%s", brokers,
		 topic, getenv("KDEBUG") != NULL ? "&debug=cgrp,topic,fetch" : "");
	topic_conf(k, "bootstrap.servers", brokers);
	topic_conf(k, "linger.ms", "0");
	writer = rd_kafka_new(RD_KAFKA_PRODUCER, k, err, sizeof(err));
	cr_assert_not_null(writer, "%s", err);
	if (real) {
		create_topic(topic, partitions);
		create_topic(dead_letter, 1);
	}
}

static inline void end(void)
{
	rd_kafka_destroy(writer);
	if (!real)
		mock_close();
	loop_free(&l);
}

/* n more events, in turns to each of the partitions. */
static inline void make(int n, int partitions)
{
	char text[16];

	for (int i = 0; i < n; i++, made++) {
		snprintf(text, sizeof(text), "%d", made);
		cr_assert_eq(rd_kafka_producev(writer, RD_KAFKA_V_TOPIC(topic),
				RD_KAFKA_V_PARTITION(made % partitions),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_KEY("ann", 3),
				RD_KAFKA_V_VALUE(text, strlen(text)),
				RD_KAFKA_V_END), 0);
	}
	cr_assert_eq(rd_kafka_flush(writer, 20000), 0);
}

struct taken {
	int number;
	int32_t partition;
	char entry[96];
};

/* A consumer, and what it was given. */
struct taker {
	struct push_consumer *c;
	size_t n;
	struct taken all[NUMBERS];
	int times[NUMBERS];	/* each number */
	bool ack;		/* each at once */
	size_t out, out_max;
	int ups, downs;
};

static inline void ack(struct taker *t, size_t i)
{
	push_consumer_ack(t->c, t->all[i].entry);
	t->out--;
}

static inline void on_event(void *arg, const char *entry, struct slice json)
{
	struct taker *t = arg;
	struct taken *e = &t->all[t->n];
	char text[16];

	cr_assert_lt(t->n, NUMBERS);
	snprintf(text, sizeof(text), "%.*s", (int)json.n, json.p);
	snprintf(e->entry, sizeof(e->entry), "%s", entry);
	e->number = atoi(text);
	e->partition = atoi(strchr(entry, '/') + 1);
	t->times[e->number]++;
	t->n++;
	if (++t->out > t->out_max)
		t->out_max = t->out;
	if (t->ack)
		ack(t, t->n - 1);
}

static inline void on_state(void *arg, bool up)
{
	struct taker *t = arg;

	*(up ? &t->ups : &t->downs) += 1;
}

/* Of the consumers to come: also for how long no answer is no loss, and the last
 * commit is waited for. */
static unsigned taker_timeout_ms = 10000;
static unsigned taker_session_ms = SESSION_MS;

static inline void take(struct taker *t, const char *name, unsigned max,
			unsigned revoke_ms)
{
	struct push_consumer_conf conf = {
		.url = url, .group = group, .consumer = name,
		.max_in_flight = max, .claim_idle_ms = taker_session_ms,
		.timeout_ms = taker_timeout_ms, .revoke_timeout_ms = revoke_ms,
		.state = on_state,
	};
	char err[256];

	memset(t, 0, sizeof(*t));
	t->c = push_consumer_new(l, &conf, on_event, t, err);
	cr_assert_not_null(t->c, "%s", err);
}

/* How many of the numbers up to made it was given, and how often at most. */
static inline int given(const struct taker *t)
{
	int n = 0;

	for (int i = 0; i < made; i++)
		n += t->times[i] > 0;
	return n;
}

static inline int most(const struct taker *t)
{
	int n = 0;

	for (int i = 0; i < made; i++)
		n = t->times[i] > n ? t->times[i] : n;
	return n;
}

/* What the group has committed of a partition; -1: nothing. Blocks. */
static inline int64_t committed(int32_t partition)
{
	rd_kafka_conf_t *k = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *tps =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_t *rk;
	int64_t offset;
	char err[256];

	topic_conf(k, "bootstrap.servers", brokers);
	topic_conf(k, "group.id", group);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, k, err, sizeof(err));
	cr_assert_not_null(rk, "%s", err);
	rd_kafka_topic_partition_list_add(tps, topic, partition);
	cr_assert_eq(rd_kafka_committed(rk, tps, 30000), 0);
	offset = tps->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(tps);
	rd_kafka_destroy(rk);
	return offset < 0 ? -1 : offset;
}

#endif
