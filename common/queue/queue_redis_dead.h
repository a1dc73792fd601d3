/* Rejected entries of a Redis stream on their way to the dead letter. */
#ifndef PW_QUEUE_REDIS_DEAD_H
#define PW_QUEUE_REDIS_DEAD_H

#include "common/backend/redis.h"
#include "common/queue/push_queue.h"

struct dead_letter;

void dead_letters_begin(struct redis *r);	/* before it connects */
struct dead_letter *dead_letter_new(const struct push_reject *r);	/* free() */
/* Adds it and acknowledges its entry, both or none; a repeat after an unknown
 * outcome adds it once. */
void dead_letter_send(struct redis *r, const char *group,
		      const struct dead_letter *d, redis_cb *cb, void *arg);

#endif
