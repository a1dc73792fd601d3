#include "worker/router_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/redis.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "worker/router_script.h"

#define TICK_MS 1000
#define TICKS_MISSING 3

struct router_watch {
	struct redis *commands;
	struct redis_sub *sub;
	const struct router_ops *ops;
	char *instance;
	struct timer tick;
	struct tick_call *call;		/* in flight */
	unsigned missing;		/* ticks published since one came */
	bool complained;		/* about a bad envelope: once */
};

/* Outlives its watch if that is freed first. */
struct tick_call {
	struct router_watch *watch;
};

static bool is_tick(struct slice msg)
{
	size_t i = 1;

	if (msg.n < 4 || msg.p[0] != ENVELOPE_VERSION ||
	    msg.p[msg.n - 1] != ROUTER_TICK || msg.p[msg.n - 2] != ':')
		return false;
	while (msg.p[i] >= '0' && msg.p[i] <= '9')
		i++;
	return i == msg.n - 2;
}

static void on_message(void *arg, struct slice channel, struct slice msg)
{
	struct router_watch *w = arg;
	struct envelope e;
	int err;

	(void)channel;
	if (is_tick(msg)) {
		w->missing = 0;
		return;
	}
	err = envelope_decode(msg, &e);
	if (err == 0) {
		w->ops->deliver(w->ops->arg, &e);
	} else if (!w->complained) {
		w->complained = true;
		log_warn("ignoring what this version cannot read on its channel: %s bytes=%zu",
			 err == -ENOTSUP ? "unknown version or kind" : "malformed",
			 msg.n);
	}
}

static void on_state(void *arg, bool up)
{
	struct router_watch *w = arg;

	w->missing = 0;
	w->ops->subscribed(w->ops->arg, up);
}

/* The reply is the proof that the tick was published; the message itself may
 * have come before it, on its own connection. */
static void on_ticked(void *arg, int err, const struct redisReply *reply)
{
	struct tick_call *c = arg;
	struct router_watch *w = c->watch;

	(void)reply;
	free(c);
	if (w == NULL)
		return;
	w->call = NULL;
	if (err != 0 || !redis_sub_up(w->sub))
		w->missing = 0;
	else if (++w->missing > TICKS_MISSING) {
		log_warn("subscription is silent: subscribing anew missing_ticks=%u",
			 w->missing - 1);
		w->missing = 0;
		redis_sub_drop(w->sub);
	}
}

static void on_tick(void *arg)
{
	struct router_watch *w = arg;
	struct slice argv = { w->instance, strlen(w->instance) };

	timer_arm(&w->tick, TICK_MS);
	if (w->call != NULL || !redis_up(w->commands))
		return;
	w->call = mem_alloc(sizeof(*w->call));
	w->call->watch = w;
	redis_eval(w->commands, &tick_script, 0, 1, &argv, on_ticked, w->call);
}

struct router_watch *router_watch_new(struct loop *l, struct redis *commands,
				      const struct router_conf *conf,
				      const struct router_ops *ops)
{
	struct router_watch *w = mem_zalloc(sizeof(*w));
	struct buf channel = { 0 };

	w->commands = commands;
	w->ops = ops;
	w->instance = mem_strdup(conf->instance);
	redis_script_add(commands, &tick_script);
	buf_printf(&channel, "pw:c:%s", conf->instance);
	w->sub = redis_sub_new(l, conf->redis, buf_str(&channel), on_message,
			       on_state, w);
	buf_free(&channel);
	timer_init(&w->tick, l, on_tick, w);
	timer_arm(&w->tick, TICK_MS);
	return w;
}

void router_watch_free(struct router_watch **wp)
{
	struct router_watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	if (w->call != NULL)
		w->call->watch = NULL;
	timer_free(&w->tick);
	redis_sub_free(&w->sub);
	free(w->instance);
	free(w);
}
