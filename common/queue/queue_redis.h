/* The consumer's half of the Redis backend, for its table in queue_redis.c. */
#ifndef PW_QUEUE_REDIS_H
#define PW_QUEUE_REDIS_H

#include "common/queue/queue_backend.h"

struct push_consumer *redis_consumer_new(struct loop *l,
					 const struct push_consumer_conf *conf,
					 push_event_cb *event, void *arg,
					 char err[256]);
void redis_consumer_free(struct push_consumer *c);
void redis_consumer_ack(struct push_consumer *c, const char *entry);
void redis_consumer_reject(struct push_consumer *c, const struct push_reject *r);
void redis_consumer_pause(struct push_consumer *c, bool paused);
bool redis_consumer_up(const struct push_consumer *c);
int64_t redis_consumer_lag(const struct push_consumer *c);

#endif
