#include "worker/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/loop/loop.h"
#include "worker/router_batch.h"
#include "worker/router_script.h"
#include "worker/router_watch.h"

#define CALL_OPS 200		/* operations of one script call, at most */
#define CALL_ARGS (6 * CALL_OPS)
#define CALL_BYTES (1024 * 1024)
#define MANY_USERS 250		/* of one operation */
/* What may wait for a slow Redis; beyond, operations are refused. */
#define WAITING_OPS 20000
#define WAITING_BYTES (64 * 1024 * 1024)

struct router {
	struct loop *loop;
	struct redis *redis;
	char *instance;
	struct router_ops ops;
	struct router_watch *watch;
	struct route_batch batch;	/* of this turn */
	struct route_batch refused;	/* only its ops are used */
	struct list calls;
	struct task flush;
	size_t waiting_ops;		/* in batch and calls */
	size_t waiting_bytes;		/* in calls */
};

/* One script call in flight. Outlives its router if that is freed first. */
struct route_call {
	struct list node;
	struct router *router;		/* NULL: freed, nobody to tell */
	int64_t sent_us;
	size_t bytes;
	size_t nops;
	struct route_op ops[];
};

static void finish(const struct route_op *op, int err,
		   const struct route_result *res)
{
	static const struct route_result nothing;

	if (op->cb != NULL)
		op->cb(op->arg, err, res != NULL ? res : &nothing);
}

static void finish_from_reply(const struct route_op *op, const redisReply *item)
{
	struct route_result res;
	long long v = item->integer;

	if (item->type != REDIS_REPLY_INTEGER) {
		finish(op, -EREMOTEIO, NULL);
		return;
	}
	res.receivers = (unsigned)(v >> ROUTE_RECEIVERS_SHIFT);
	res.present = (v & ROUTE_PRESENT) != 0;
	res.leaving = (v & ROUTE_LEAVING) != 0;
	stats_add(STAT_routed, res.receivers);
	finish(op, 0, &res);
}

/* Behind the operations' results: users whose unread counters are lost. */
static void tell_unread_lost(struct router *r, size_t from,
			     const redisReply *reply)
{
	for (size_t i = from; i < reply->elements; i++)
		if (reply->element[i]->type == REDIS_REPLY_STRING &&
		    r->ops.unread_lost != NULL)
			r->ops.unread_lost(r->ops.arg, reply->element[i]->str,
					   false);
}

static void on_routed(void *arg, int err, const struct redisReply *reply)
{
	struct route_call *c = arg;
	struct router *r = c->router;

	if (r != NULL) {
		list_remove(&c->node);
		r->waiting_ops -= c->nops;
		r->waiting_bytes -= c->bytes;
		if (err == 0 && (reply->type != REDIS_REPLY_ARRAY ||
				 reply->elements < c->nops))
			err = -EREMOTEIO;
		if (err == 0)
			stats_observe(STAT_route_us, clock_mono_us() - c->sent_us);
		for (size_t i = 0; i < c->nops; i++) {
			if (err != 0)
				finish(&c->ops[i], err, NULL);
			else
				finish_from_reply(&c->ops[i], reply->element[i]);
		}
		if (err == 0)
			tell_unread_lost(r, c->nops, reply);
	}
	free(c);
}

static void send_batch(struct router *r)
{
	struct route_batch *b = &r->batch;
	struct route_call *c;
	struct slice *argv;

	if (b->nops == 0)
		return;
	c = mem_alloc(sizeof(*c) + b->nops * sizeof(c->ops[0]));
	c->router = r;
	c->sent_us = clock_mono_us();
	c->bytes = b->bytes.len;
	c->nops = b->nops;
	memcpy(c->ops, b->ops, b->nops * sizeof(c->ops[0]));
	list_append(&r->calls, &c->node);
	r->waiting_bytes += c->bytes;

	argv = mem_alloc((b->nargs + 1) * sizeof(*argv));
	argv[0] = slice_of(r->instance);
	route_batch_argv(b, argv + 1);
	redis_eval(r->redis, &route_script, 0, (int)b->nargs + 1, argv,
		   on_routed, c);
	free(argv);
	route_batch_clear(b);
}

/* A callback may call the router again: what it adds is for the next round. */
static void tell_refused(struct router *r)
{
	struct route_batch told = r->refused;

	r->refused = (struct route_batch){ 0 };
	for (size_t i = 0; i < told.nops; i++)
		finish(&told.ops[i], -ENOTCONN, NULL);
	route_batch_free(&told);
}

static void on_flush(void *arg)
{
	struct router *r = arg;

	send_batch(r);
	if (r->refused.nops > 0)
		tell_refused(r);
}

/* True: the operation is begun and its arguments may follow. What comes behind
 * one that is refused is refused, until that one's caller knows: he keeps it, and
 * what must not overtake it. */
static bool begin(struct router *r, char letter, router_cb *cb, void *arg)
{
	loop_defer(r->loop, &r->flush);
	if (!redis_up(r->redis) || r->refused.nops > 0 ||
	    r->waiting_ops >= WAITING_OPS ||
	    r->waiting_bytes + r->batch.bytes.len >= WAITING_BYTES) {
		if (cb != NULL)
			route_batch_op(&r->refused, letter, cb, arg);
		return false;
	}
	route_batch_op(&r->batch, letter, cb, arg);
	r->waiting_ops++;
	return true;
}

static void done(struct router *r)
{
	if (r->batch.nops >= CALL_OPS || r->batch.nargs >= CALL_ARGS ||
	    r->batch.bytes.len >= CALL_BYTES)
		send_batch(r);
}

static void add_envelope(struct route_batch *b, const struct envelope *e)
{
	route_batch_arg(b, e->user_id);
	envelope_encode(&b->bytes, e);
	route_batch_end_arg(b);
}

void router_send(struct router *r, const struct envelope *e,
		 enum router_extra extra, router_cb *cb, void *arg)
{
	if (!begin(r, extra == ROUTE_UNREAD ? 'u' : 'p', cb, arg))
		return;
	add_envelope(&r->batch, e);
	if (extra == ROUTE_UNREAD) {
		route_batch_arg(&r->batch, e->match_id);
		route_batch_arg(&r->batch, e->id);
	}
	done(r);
}

static void send_some(struct router *r, const char *const *users, size_t n,
		      struct slice event)
{
	struct route_batch *b = &r->batch;
	struct envelope e = { .kind = ENV_EMIT_MANY, .event = event };

	if (!begin(r, 'm', NULL, NULL))
		return;
	buf_printf(&b->bytes, "%zu", n);
	route_batch_end_arg(b);
	envelope_encode(&b->bytes, &e);
	route_batch_end_arg(b);
	for (size_t i = 0; i < n; i++)
		route_batch_arg(b, slice_of(users[i]));
	done(r);
}

void router_send_many(struct router *r, const char *const *users, size_t n,
		      struct slice event)
{
	for (size_t i = 0; i < n; i += MANY_USERS)
		send_some(r, users + i, n - i < MANY_USERS ? n - i : MANY_USERS,
			  event);
}

void router_typing(struct router *r, const char *match_id, const char *user_id,
		   bool typing, const struct envelope *e)
{
	struct route_batch *b = &r->batch;

	if (!begin(r, typing ? 't' : 's', NULL, NULL))
		return;
	add_envelope(b, e);
	buf_adds(&b->bytes, "typing:");
	buf_adds(&b->bytes, match_id);
	buf_addc(&b->bytes, ':');
	buf_adds(&b->bytes, user_id);
	route_batch_end_arg(b);
	done(r);
}

struct reader {
	struct router *router;
	char user_id[];
};

static void on_read(void *arg, int err, const struct route_result *res)
{
	struct reader *w = arg;
	struct router *r = w->router;

	(void)res;
	if (err != 0 && err != -ECANCELED && r->ops.unread_lost != NULL)
		r->ops.unread_lost(r->ops.arg, w->user_id, true);
	free(w);
}

void router_read(struct router *r, const char *match_id, const char *user_id,
		 const char (*ids)[25], size_t n)
{
	struct route_batch *b = &r->batch;
	size_t len = strlen(user_id) + 1;
	struct reader *w;

	if (n == 0)
		return;
	w = mem_alloc(sizeof(*w) + len);
	w->router = r;
	memcpy(w->user_id, user_id, len);
	if (!begin(r, 'r', on_read, w))
		return;
	route_batch_arg(b, slice_of(user_id));
	route_batch_arg(b, slice_of(match_id));
	buf_printf(&b->bytes, "%zu", n);
	route_batch_end_arg(b);
	for (size_t i = 0; i < n; i++)
		route_batch_arg(b, slice_of(ids[i]));
	done(r);
}

int64_t router_good_us(const struct router *r)
{
	return router_watch_good_us(r->watch);
}

unsigned router_losses(const struct router *r)
{
	return router_watch_losses(r->watch);
}

void router_made_good(struct router *r, unsigned lost)
{
	router_watch_made_good(r->watch, lost);
}

struct router *router_new(struct loop *l, struct redis *redis,
			  const struct router_conf *c,
			  const struct router_ops *ops)
{
	struct router *r = mem_zalloc(sizeof(*r));

	r->loop = l;
	r->redis = redis;
	r->instance = mem_strdup(c->instance);
	r->ops = *ops;
	list_init(&r->calls);
	task_init(&r->flush, LOOP_ROUTE, on_flush, r);
	redis_script_add(redis, &route_script);
	r->watch = router_watch_new(l, redis, c, &r->ops);
	return r;
}

void router_free(struct router **rp)
{
	struct router *r = *rp;
	struct list *n;

	if (r == NULL)
		return;
	*rp = NULL;
	task_cancel(&r->flush);
	router_watch_free(&r->watch);
	while ((n = list_shift(&r->calls)) != NULL) {
		struct route_call *c = LIST_ENTRY(n, struct route_call, node);

		c->router = NULL;
		for (size_t i = 0; i < c->nops; i++)
			finish(&c->ops[i], -ECANCELED, NULL);
	}
	for (size_t i = 0; i < r->batch.nops; i++)
		finish(&r->batch.ops[i], -ECANCELED, NULL);
	for (size_t i = 0; i < r->refused.nops; i++)
		finish(&r->refused.ops[i], -ECANCELED, NULL);
	route_batch_free(&r->batch);
	route_batch_free(&r->refused);
	free(r->instance);
	free(r);
}
