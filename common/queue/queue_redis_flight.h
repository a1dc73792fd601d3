/* The entries a consumer has taken from the stream and not yet given back: in
 * the hands of event(), or acknowledged and not yet confirmed by Redis. While
 * they are, Redis is told that somebody is busy with them. */
#ifndef PW_QUEUE_REDIS_FLIGHT_H
#define PW_QUEUE_REDIS_FLIGHT_H

#include "common/queue/push_queue.h"

struct flight;
struct redis_conf;

/* room() is called when entries have left. conf's strings are copied. */
struct flight *flight_new(struct loop *l, const struct redis_conf *redis,
			  const struct push_consumer_conf *conf,
			  void (*room)(void *arg), void *arg);
void flight_free(struct flight **f);
/* False: it is in flight already. */
bool flight_add(struct flight *f, const char *id);
void flight_ack(struct flight *f, const char *id);
size_t flight_count(const struct flight *f);

#endif
