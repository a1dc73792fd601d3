/* The markers pw:push:<key> of what is in Kafka already: a courtesy that saves
 * most repeats. Without Redis, or while it is slow, there are none. */
#ifndef PW_QUEUE_KAFKA_MARKERS_H
#define PW_QUEUE_KAFKA_MARKERS_H

#include "common/base/list.h"

struct loop;
struct redis;
struct markers;

/* What has a marker, or wants one: embedded. */
struct marked {
	struct list node;
	const char *key;
};

/* there: it has been queued within the last 2 days. Never before
 * markers_look() returns; in the order in which they were looked for. */
typedef void markers_cb(void *arg, struct marked *m, bool there);
/* slow_ms: nobody waits longer for Redis, which is then left alone for a while. */
struct markers *markers_new(struct loop *l, struct redis *r, unsigned slow_ms,
			    markers_cb *cb, void *arg);
/* What is being looked for is put into rest. NULLs *m. */
void markers_free(struct markers **m, struct list *rest);
/* Empties events (struct marked). False: not now, nothing was taken. */
bool markers_look(struct markers *m, struct list *events);
void markers_set(struct markers *m, const char *key);

#endif
