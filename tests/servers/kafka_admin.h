/* For tests on Kafka: librdkafka's mock cluster in this process, and what is in
 * a topic, of the mock or of the real broker that PW_TEST_KAFKA names. */
#ifndef PW_KAFKA_ADMIN_H
#define PW_KAFKA_ADMIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "common/base/base.h"

#define KAFKA_PRODUCE 0		/* ApiKeys, for injected errors */
#define KAFKA_INIT_PRODUCER_ID 22

static rd_kafka_t *mock_rk;
static rd_kafka_mock_cluster_t *mock;

/* "host:port,...", borrowed. */
static inline const char *mock_open(int brokers, const char *topic, int partitions)
{
	char err[256];

	mock_rk = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, err, sizeof(err));
	cr_assert_not_null(mock_rk, "%s", err);
	mock = rd_kafka_mock_cluster_new(mock_rk, brokers);
	cr_assert_not_null(mock);
	cr_assert_eq(rd_kafka_mock_topic_create(mock, topic, partitions, 1), 0);
	return rd_kafka_mock_cluster_bootstraps(mock);
}

static inline void mock_close(void)
{
	rd_kafka_mock_cluster_destroy(mock);
	rd_kafka_destroy(mock_rk);
}

struct topic_entry {
	int32_t partition;
	char key[64];
	char value[64];		/* its beginning */
};
struct topic {
	struct topic_entry *entries;	/* free()d by the caller */
	size_t n;
};

static inline void topic_conf(rd_kafka_conf_t *k, const char *name, const char *value)
{
	char err[256];

	cr_assert_eq(rd_kafka_conf_set(k, name, value, err, sizeof(err)),
		     RD_KAFKA_CONF_OK, "%s", err);
}

static inline void topic_add(struct topic *t, const rd_kafka_message_t *m)
{
	struct topic_entry *e;

	t->entries = realloc(t->entries, (t->n + 1) * sizeof(*e));
	e = &t->entries[t->n++];
	e->partition = m->partition;
	snprintf(e->key, sizeof(e->key), "%.*s", (int)m->key_len,
		 (const char *)m->key);
	snprintf(e->value, sizeof(e->value), "%.*s", (int)m->len,
		 (const char *)m->payload);
}

/* All that is there now, of each partition from its beginning. Blocks. */
static inline struct topic topic_read(const char *brokers, const char *name,
				      int partitions)
{
	rd_kafka_conf_t *k = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *all =
		rd_kafka_topic_partition_list_new(partitions);
	struct topic t = { 0 };
	char err[256];
	rd_kafka_t *rk;

	topic_conf(k, "bootstrap.servers", brokers);
	topic_conf(k, "group.id", "reader");
	topic_conf(k, "enable.auto.commit", "false");
	topic_conf(k, "enable.partition.eof", "true");
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, k, err, sizeof(err));
	cr_assert_not_null(rk, "%s", err);
	for (int i = 0; i < partitions; i++)
		rd_kafka_topic_partition_list_add(all, name, i)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	cr_assert_eq(rd_kafka_assign(rk, all), 0);
	rd_kafka_topic_partition_list_destroy(all);
	for (int ends = 0, waits = 0; ends < partitions;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);

		cr_assert_lt(waits, 400, "no end of %s", name);
		if (m == NULL)
			waits++;
		else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			ends++;
		else if (m->err == 0)
			topic_add(&t, m);
		if (m != NULL)
			rd_kafka_message_destroy(m);
	}
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return t;
}

static inline size_t topic_count(const struct topic *t, const char *value)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += strcmp(t->entries[i].value, value) == 0;
	return n;
}

#endif
