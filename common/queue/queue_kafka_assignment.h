/* What a Kafka consumer has of its topic, as librdkafka sees it: partitions that
 * come and go, paused or not, and how far each is done with. */
#ifndef PW_QUEUE_KAFKA_ASSIGNMENT_H
#define PW_QUEUE_KAFKA_ASSIGNMENT_H

#include <librdkafka/rdkafka.h>

#include "common/loop/loop.h"
#include "common/queue/kafka_parts.h"

/* Embedded; parts and held are for others to read. */
struct assignment {
	struct parts parts;
	bool held;			/* all partitions are paused */
	rd_kafka_t *rk;			/* NULL: there is no client */
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
/* A client has been made; it is given up: all it had is lost. */
void assignment_begin(struct assignment *a, rd_kafka_t *rk);
void assignment_end(struct assignment *a);

/* Of RD_KAFKA_EVENT_REBALANCE. What is revoked stays until its entries have
 * outcomes, for at most revoke_ms. */
void assignment_rebalance(struct assignment *a, rd_kafka_event_t *ev);
/* Of RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT: what we asked. */
void assignment_begins(struct assignment *a, rd_kafka_event_t *ev);
/* False: it is not for us (any more). A partition whose window has become too
 * wide is paused until half of it is gone. */
bool assignment_take(struct assignment *a, const rd_kafka_message_t *m,
		     char entry[ENTRY_MAX]) MUST_CHECK;
/* After outcomes: stores offsets, gives back what is waited for no more. */
void assignment_settle(struct assignment *a);
/* A pause throws away what was fetched. */
void assignment_hold(struct assignment *a, bool held);
/* Fetches begin anew, so that one which is refused is said again: else librdkafka
 * says it once, and never that it is over. lost: it is asked anew, too, where
 * partitions begin that have given nothing yet; where that was refused, it has
 * them, and does nothing with them. False: not now. */
bool assignment_probe(struct assignment *a, bool lost) MUST_CHECK;
/* Events that were not handed out, of those that fetches have heard of; -1: of
 * no partition is anything known. */
int64_t assignment_lag(const struct assignment *a);
/* Blocks until all outcomes are committed, for at most ms. */
void assignment_commit(struct assignment *a, int ms);

#endif
