/* The dead letter of a Kafka topic: a producer of its own, which comes into
 * being with the first rejection. */
#ifndef PW_QUEUE_KAFKA_DEAD_H
#define PW_QUEUE_KAFKA_DEAD_H

#include "common/queue/push_queue.h"

struct kafka_dead;
struct kafka_url;

struct kafka_dead_conf {
	const struct kafka_url *url;	/* borrowed until kafka_dead_free() */
	const char *topic;		/* that of the events; borrowed, too */
	unsigned timeout_ms;
	/* It is safe there. Never before kafka_dead_add() returns. */
	void (*done)(void *arg, const char *entry);
	void *arg;
};

struct kafka_dead *kafka_dead_new(struct loop *l,
				  const struct kafka_dead_conf *conf);
/* Tried until it is there; the event is cut when it is too large for it. All
 * copied. key.p NULL: it has none. */
void kafka_dead_add(struct kafka_dead *d, const struct push_reject *r,
		    struct slice key);
/* Blocks until all are there, for at most ms. */
void kafka_dead_flush(struct kafka_dead *d, int64_t ms);
void kafka_dead_free(struct kafka_dead **d, unsigned ms);	/* at most */

#endif
