/* What a Kafka consumer has of its topic, as librdkafka sees it: partitions that
 * come and go, each with a queue of its own, and how far each is done with.
 *
 * Who has no room does not read those queues, and librdkafka fetches no more than
 * fits in them; rebalances come by another, which is always read. Nothing is paused
 * or resumed: that, and the start of a fetch, are ordered by a version of the
 * partition's which each takes on its own thread before it is queued (2.0.2 to 2.12,
 * rd_kafka_toppar_op_pause_resume() and _fetch_start()); where they cross, the one
 * that came later is dropped without a word, and nothing is fetched any more. */
#ifndef PW_QUEUE_KAFKA_ASSIGNMENT_H
#define PW_QUEUE_KAFKA_ASSIGNMENT_H

#include <librdkafka/rdkafka.h>

#include "common/loop/loop.h"
#include "common/queue/kafka_parts.h"

/* Embedded; parts is for others to read. */
struct assignment {
	struct parts parts;
	unsigned turn;			/* events of the first of parts, in a row */
	rd_kafka_t *rk;			/* NULL: there is no client */
	int fd;				/* written to when there is an event */
	const char *topic;
	const char *group;
	/* To be given back, once its entries have outcomes; or NULL. */
	rd_kafka_topic_partition_list_t *leaving;
	struct timer revoke;
	unsigned revoke_ms;
};

/* topic and group are borrowed. */
void assignment_init(struct assignment *a, struct loop *l, const char *topic,
		     const char *group, unsigned revoke_ms);
void assignment_free(struct assignment *a);
/* A client has been made, whose eventfd wakes who polls; it is given up: all it had
 * is lost. */
void assignment_begin(struct assignment *a, rd_kafka_t *rk, int fd);
void assignment_end(struct assignment *a);

/* Of RD_KAFKA_EVENT_REBALANCE. What is revoked stays until its entries have
 * outcomes, for at most revoke_ms. */
void assignment_rebalance(struct assignment *a, rd_kafka_event_t *ev);
/* Of RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT: what we asked. */
void assignment_begins(struct assignment *a, rd_kafka_event_t *ev);
/* An event of some partition, which are polled in turns; the caller's. NULL: there
 * is none. */
rd_kafka_event_t *assignment_poll(struct assignment *a) MUST_CHECK;
/* False: it is not for us (any more). Of a partition whose window has become too
 * wide nothing is polled until half of it is gone. */
bool assignment_take(struct assignment *a, const rd_kafka_message_t *m,
		     char entry[ENTRY_MAX]) MUST_CHECK;
/* After outcomes: stores offsets, gives back what is waited for no more. */
void assignment_settle(struct assignment *a);
/* Fetches begin anew where they are, so that one which is refused is said again:
 * else librdkafka says it once, and never that it is over. Where partitions begin
 * that have given nothing yet is asked anew, too; where that was refused, it has
 * them, and does nothing with them. False: not now. */
bool assignment_probe(struct assignment *a) MUST_CHECK;
/* Events that were not handed out, of those that fetches have heard of; -1: of
 * no partition is anything known. */
int64_t assignment_lag(const struct assignment *a);
/* Blocks until all outcomes are committed, for at most ms. */
void assignment_commit(struct assignment *a, int ms);

#endif
