/* The consumer's half of the Kafka backend, for its table in queue_kafka.c. */
#ifndef PW_QUEUE_KAFKA_H
#define PW_QUEUE_KAFKA_H

#include "common/queue/queue_backend.h"

struct push_consumer *kafka_consumer_new(struct loop *l,
					 const struct push_consumer_conf *conf,
					 push_event_cb *event, void *arg,
					 char err[256]);
void kafka_consumer_free(struct push_consumer *c);
void kafka_consumer_ack(struct push_consumer *c, const char *entry);
void kafka_consumer_reject(struct push_consumer *c, const struct push_reject *r);
void kafka_consumer_pause(struct push_consumer *c, bool paused);
bool kafka_consumer_up(const struct push_consumer *c);
int64_t kafka_consumer_lag(const struct push_consumer *c);

#endif
