#include "common/queue/push_queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/queue/queue_backend.h"

static const struct {
	const char *scheme;
	const struct push_backend *backend;
} schemes[] = {
	{ "redis://", &push_backend_redis },
	{ "redis+unix://", &push_backend_redis },
	{ "kafka://", &push_backend_kafka },
};

static const struct push_backend *backend_of(const char *url, char err[256])
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (strncmp(url, schemes[i].scheme,
			    strlen(schemes[i].scheme)) == 0)
			return schemes[i].backend;
	}
	snprintf(err, 256, "a push queue's URL begins with kafka://, "
		 "redis:// or redis+unix://");
	return NULL;
}

int push_queue_check(const char *url, char err[256])
{
	const struct push_backend *b = backend_of(url, err);

	return b != NULL ? b->check(url, err) : -EINVAL;
}

struct push_queue *push_queue_new(struct loop *l,
				  const struct push_queue_conf *conf,
				  char err[256])
{
	const struct push_backend *b = backend_of(conf->url, err);

	return b != NULL && b->check(conf->url, err) == 0 ?
		       b->new(l, conf, err) : NULL;
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

bool push_queue_durable(const struct push_queue *q)
{
	return q->backend->durable;
}

void push_queue_add(struct push_queue *q, const char *key, const char *user_id,
		    struct slice json, push_add_cb *cb, void *arg)
{
	q->backend->add(q, key, user_id, json, cb, arg);
}

void push_queue_look(struct push_queue *q, push_look_cb *cb, void *arg)
{
	q->backend->look(q, cb, arg);
}

struct push_consumer *push_consumer_new(struct loop *l,
					const struct push_consumer_conf *conf,
					push_event_cb *event, void *arg,
					char err[256])
{
	const struct push_backend *b = backend_of(conf->url, err);

	return b != NULL && b->check(conf->url, err) == 0 ?
		       b->consumer_new(l, conf, event, arg, err) : NULL;
}

void push_consumer_ack(struct push_consumer *c, const char *entry)
{
	c->backend->consumer_ack(c, entry);
}

void push_consumer_reject(struct push_consumer *c, const struct push_reject *r)
{
	c->backend->consumer_reject(c, r);
}

void push_consumer_pause(struct push_consumer *c, bool paused)
{
	c->backend->consumer_pause(c, paused);
}

bool push_consumer_up(const struct push_consumer *c)
{
	return c->backend->consumer_up(c);
}

int64_t push_consumer_lag(const struct push_consumer *c)
{
	return c->backend->consumer_lag(c);
}

void push_consumer_free(struct push_consumer **c)
{
	if (*c != NULL)
		(*c)->backend->consumer_free(*c);
	*c = NULL;
}
