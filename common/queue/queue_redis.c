/* The producer on Redis Streams. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/backend/redis_check.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/queue_redis.h"
#include "common/queue/redis_url.h"

#define CALL_EVENTS 100		/* of one script call */

/* ARGV: limit, then (key, event) each. Reply per event: 1 queued, 0 was
 * already, -1 refused. The marker comes only with the entry: a refused event
 * can be queued later. Keys are not declared: one Redis, not Redis Cluster. */
static struct redis_script add_script = {
	.name = "push-add",
	.text =
	"local call, stream, out = redis.call, '" PUSH_STREAM "', {}\n"
	"local room = tonumber(ARGV[1]) - call('XLEN', stream)\n"
	"for i = 2, #ARGV, 2 do\n"
	"  local marker, res = 'pw:push:' .. ARGV[i], 0\n"
	"  if call('EXISTS', marker) == 0 then\n"
	"    if room > 0 then\n"
	"      call('XADD', stream, '*', 'event', ARGV[i + 1], 'key', ARGV[i])\n"
	"      call('SET', marker, '1', 'EX', 172800)\n"
	"      room, res = room - 1, 1\n"
	"    else\n"
	"      res = -1\n"
	"    end\n"
	"  end\n"
	"  out[#out + 1] = res\n"
	"end\n"
	"return out\n",
};

/* An event on its way. */
struct event {
	struct list node;
	struct slice json;
	push_add_cb *cb;
	void *arg;
	const char *key;
	char text[];	/* key, NUL, json */
};

struct queue {
	struct push_queue base;
	struct loop *loop;
	struct redis *redis;
	struct list events;	/* of this turn */
	struct task flush;
	char limit[24];
};

static void finish(struct list *n, int err)
{
	struct event *e = LIST_ENTRY(n, struct event, node);

	if (e->cb != NULL)
		e->cb(e->arg, err);
	free(e);
}

static void on_added(void *arg, int err, const struct redisReply *reply)
{
	struct list *sent = arg;
	struct list *n;

	if (err == 0 && reply->type != REDIS_REPLY_ARRAY)
		err = -EREMOTEIO;
	for (size_t i = 0; (n = list_shift(sent)) != NULL; i++) {
		if (err != 0)
			finish(n, err);
		else if (i >= reply->elements)
			finish(n, -EREMOTEIO);
		else
			finish(n, reply->element[i]->integer < 0 ? -ENOSPC : 0);
	}
	free(sent);
}

static void send_events(struct queue *q)
{
	struct slice argv[1 + 2 * CALL_EVENTS];
	struct list *sent = mem_alloc(sizeof(*sent));
	struct list *n;
	int argc = 0;

	list_init(sent);
	argv[argc++] = slice_of(q->limit);
	while (argc < (int)ARRAY_SIZE(argv) &&
	       (n = list_shift(&q->events)) != NULL) {
		struct event *e = LIST_ENTRY(n, struct event, node);

		argv[argc++] = slice_of(e->key);
		argv[argc++] = e->json;
		list_append(sent, n);
	}
	redis_eval(q->redis, &add_script, 0, argc, argv, on_added, sent);
}

static void on_flush(void *arg)
{
	struct queue *q = arg;

	while (!list_empty(&q->events))
		send_events(q);
}

static void queue_add(struct push_queue *base, const char *key,
		      const char *user_id, struct slice json, push_add_cb *cb,
		      void *arg)
{
	struct queue *q = CONTAINER_OF(base, struct queue, base);
	size_t n = strlen(key) + 1;
	struct event *e = mem_alloc(sizeof(*e) + n + json.n);

	(void)user_id;		/* the order of a user is one stream's anyway */
	memcpy(e->text, key, n);
	memcpy(e->text + n, json.p, json.n);
	e->key = e->text;
	e->json = (struct slice){ e->text + n, json.n };
	e->cb = cb;
	e->arg = arg;
	list_append(&q->events, &e->node);
	loop_defer(q->loop, &q->flush);
}

static struct push_queue *queue_new(struct loop *l,
				    const struct push_queue_conf *conf,
				    char err[256])
{
	struct redis_url url;
	struct queue *q;

	if (redis_url_parse(conf->url, &url, err) != 0)
		return NULL;
	q = mem_zalloc(sizeof(*q));
	q->base.backend = &push_backend_redis;
	q->loop = l;
	snprintf(q->limit, sizeof(q->limit), "%" PRIu64, conf->limit);
	list_init(&q->events);
	task_init(&q->flush, LOOP_ROUTE, on_flush, q);
	q->redis = redis_new(l, &(struct redis_conf){
		.name = "pairwire-push-queue",
		.host = url.host,
		.port = url.port,
		.password = url.password,
		.db = url.db,
		.timeout_ms = conf->timeout_ms,
	}, conf->state, conf->arg);
	redis_script_add(q->redis, &add_script);
	return &q->base;
}

static void queue_free(struct push_queue *base)
{
	struct queue *q = CONTAINER_OF(base, struct queue, base);
	struct list *n;

	task_cancel(&q->flush);
	redis_free(&q->redis);
	while ((n = list_shift(&q->events)) != NULL)
		finish(n, -ECANCELED);
	free(q);
}

static bool queue_up(const struct push_queue *base)
{
	return redis_up(CONTAINER_OF(base, const struct queue, base)->redis);
}

static int check(const char *url, char err[256])
{
	struct redis_url u;
	int rc = redis_url_parse(url, &u, err);

	explicit_bzero(&u, sizeof(u));
	return rc;
}

/* --- what an operator should know --- */

struct look {
	push_look_cb *cb;
	void *arg;
	char limit[24];
	int64_t waiting;
	bool full;
};

static void on_length(void *arg, int err, const struct redisReply *reply)
{
	struct look *k = arg;

	k->waiting = err == 0 ? reply->integer : -1;
	k->full = k->waiting >= strtoll(k->limit, NULL, 10) / 10 * 9;
}

/* Behind the length. */
static void on_checked(void *arg, int err, const struct redis_verdict *v)
{
	struct look *k = arg;
	char text[REDIS_CHECK_LEN + 96] = "", todo[REDIS_CHECK_LEN] = "";

	if (err == 0) {
		snprintf(text, sizeof(text), "Redis %s; %" PRId64 " of at most "
			 "%s events wait", v->text, k->waiting, k->limit);
		snprintf(todo, sizeof(todo), "%s", v->todo[0] != '\0' ? v->todo :
			 k->full ? "see that pairwire-pushd runs and gets on" :
			 "");
	}
	k->cb(k->arg, err, text, todo);
	free(k);
}

static void queue_look(struct push_queue *base, push_look_cb *cb, void *arg)
{
	static const struct slice length[] = { { "XLEN", 4 },
		{ PUSH_STREAM, sizeof(PUSH_STREAM) - 1 } };
	struct queue *q = CONTAINER_OF(base, struct queue, base);
	struct look *k = mem_zalloc(sizeof(*k));

	k->cb = cb;
	k->arg = arg;
	memcpy(k->limit, q->limit, sizeof(k->limit));
	redis_command(q->redis, (int)ARRAY_SIZE(length), length, on_length, k);
	redis_check(q->redis, on_checked, k);
}

const struct push_backend push_backend_redis = {
	.check = check,
	.new = queue_new,
	.free = queue_free,
	.up = queue_up,
	.add = queue_add,
	.look = queue_look,
	.consumer_new = redis_consumer_new,
	.consumer_free = redis_consumer_free,
	.consumer_ack = redis_consumer_ack,
	.consumer_reject = redis_consumer_reject,
	.consumer_pause = redis_consumer_pause,
	.consumer_up = redis_consumer_up,
	.consumer_lag = redis_consumer_lag,
};
