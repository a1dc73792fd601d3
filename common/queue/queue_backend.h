/* What a kind of push queue is made of. */
#ifndef PW_QUEUE_BACKEND_H
#define PW_QUEUE_BACKEND_H

#include "common/queue/push_queue.h"

struct push_backend {
	struct push_queue *(*new)(struct loop *l,
				  const struct push_queue_conf *conf,
				  char err[256]);
	void (*free)(struct push_queue *q);
	bool (*up)(const struct push_queue *q);
	void (*add)(struct push_queue *q, const char *key, const char *user_id,
		    struct slice json, push_add_cb *cb, void *arg);

	struct push_consumer *(*consumer_new)(struct loop *l,
			const struct push_consumer_conf *conf,
			push_event_cb *event, void *arg, char err[256]);
	void (*consumer_free)(struct push_consumer *c);
	void (*consumer_ack)(struct push_consumer *c, const char *entry);
};

/* The first member of each backend's own struct. */
struct push_queue {
	const struct push_backend *backend;
};
struct push_consumer {
	const struct push_backend *backend;
};

extern const struct push_backend push_backend_redis;

#endif
