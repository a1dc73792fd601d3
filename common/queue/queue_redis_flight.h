/* The entries a consumer has taken from the stream and not yet given back: in
 * the hands of event(), or acknowledged and not yet confirmed by Redis. While
 * they are, Redis is told that somebody is busy with them. */
#ifndef PW_QUEUE_REDIS_FLIGHT_H
#define PW_QUEUE_REDIS_FLIGHT_H

#include "common/queue/push_queue.h"

struct flight;
struct redis;
struct redis_conf;

struct flight_ops {
	void (*room)(void *arg);	/* entries have left */
	void (*state)(void *arg);	/* its connection's has changed */
};
/* conf's strings are copied. */
struct flight *flight_new(struct loop *l, const struct redis_conf *redis,
			  const struct push_consumer_conf *conf,
			  const struct flight_ops *ops, void *arg);
/* Before flight_free(): turns the loop until all acknowledgements are confirmed,
 * for at most ms. Calls no ops any more. */
void flight_drain(struct flight *f, unsigned ms);
void flight_free(struct flight **f);
/* False: it is in flight already. */
bool flight_add(struct flight *f, const char *id);
void flight_ack(struct flight *f, const char *id);
/* Acknowledged when it is in the dead letter, in one step. */
void flight_reject(struct flight *f, const struct push_reject *r);
/* The connection of the acknowledgements, for what none of them may overtake. */
struct redis *flight_redis(const struct flight *f);
int64_t flight_lag(const struct flight *f);
size_t flight_count(const struct flight *f);

#endif
