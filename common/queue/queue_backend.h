/* What a kind of push queue is made of. */
#ifndef PW_QUEUE_BACKEND_H
#define PW_QUEUE_BACKEND_H

#include "common/queue/push_queue.h"

struct push_backend {
	bool durable;
	int (*check)(const char *url, char err[256]);
	struct push_queue *(*new)(struct loop *l,
				  const struct push_queue_conf *conf,
				  char err[256]);
	void (*free)(struct push_queue *q);
	bool (*up)(const struct push_queue *q);
	void (*add)(struct push_queue *q, const char *key, const char *user_id,
		    struct slice json, push_add_cb *cb, void *arg);
	void (*look)(struct push_queue *q, push_look_cb *cb, void *arg);

	struct push_consumer *(*consumer_new)(struct loop *l,
			const struct push_consumer_conf *conf,
			push_event_cb *event, void *arg, char err[256]);
	void (*consumer_free)(struct push_consumer *c);
	void (*consumer_ack)(struct push_consumer *c, const char *entry);
	void (*consumer_reject)(struct push_consumer *c,
				const struct push_reject *r);
	void (*consumer_pause)(struct push_consumer *c, bool paused);
	bool (*consumer_up)(const struct push_consumer *c);
	int64_t (*consumer_lag)(const struct push_consumer *c);
};

/* The first member of each backend's own struct. */
struct push_queue {
	const struct push_backend *backend;
};
struct push_consumer {
	const struct push_backend *backend;
};

extern const struct push_backend push_backend_redis;
extern const struct push_backend push_backend_kafka;

#endif
