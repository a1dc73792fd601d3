#include "common/queue/push_queue.h"

#include <stdio.h>
#include <string.h>

#include "common/queue/queue_backend.h"

static const struct {
	const char *scheme;
	const struct push_backend *backend;
} schemes[] = {
	{ "redis://", &push_backend_redis },
	{ "redis+unix://", &push_backend_redis },
};

static const struct push_backend *backend_of(const char *url, char err[256])
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (strncmp(url, schemes[i].scheme,
			    strlen(schemes[i].scheme)) == 0)
			return schemes[i].backend;
	}
	snprintf(err, 256, "a push queue's URL begins with redis:// or redis+unix://");
	return NULL;
}

struct push_queue *push_queue_new(struct loop *l,
				  const struct push_queue_conf *conf,
				  char err[256])
{
	const struct push_backend *b = backend_of(conf->url, err);

	return b != NULL ? b->new(l, conf, err) : NULL;
}

void push_queue_free(struct push_queue **q)
{
	if (*q != NULL)
		(*q)->backend->free(*q);
	*q = NULL;
}

bool push_queue_up(const struct push_queue *q)
{
	return q->backend->up(q);
}

void push_queue_add(struct push_queue *q, const char *key, const char *user_id,
		    struct slice json, push_add_cb *cb, void *arg)
{
	q->backend->add(q, key, user_id, json, cb, arg);
}

struct push_consumer *push_consumer_new(struct loop *l,
					const struct push_consumer_conf *conf,
					push_event_cb *event, void *arg,
					char err[256])
{
	const struct push_backend *b = backend_of(conf->url, err);

	return b != NULL ? b->consumer_new(l, conf, event, arg, err) : NULL;
}

void push_consumer_ack(struct push_consumer *c, const char *entry)
{
	c->backend->consumer_ack(c, entry);
}

void push_consumer_free(struct push_consumer **c)
{
	if (*c != NULL)
		(*c)->backend->consumer_free(*c);
	*c = NULL;
}
