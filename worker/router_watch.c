#include "worker/router_watch.h"

#include <errno.h>
#include <stdlib.h>

#include "common/backend/redis.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
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

	uint64_t counter;		/* of the last that came */
	bool counting;			/* one has, by this subscription */
	unsigned subscriptions;
	unsigned losses;
	unsigned made_good;		/* the loss up to which all was */
	int64_t good_us;
};

/* Outlives its watch if that is freed first. */
struct tick_call {
	struct router_watch *watch;
};

/* The digits that s begins with, taken off it. */
static bool take_number(struct slice *s, uint64_t *out)
{
	size_t i = 0;
	uint64_t v = 0;

	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, s->p[i] - '0', &v))
			return false;
	}
	if (i == 0)
		return false;
	s->p += i;
	s->n -= i;
	*out = v;
	return true;
}

/* See tick_script. */
static bool tick_read(struct slice msg, uint64_t *counter_out, int64_t *us_out)
{
	struct slice rest = { msg.p + 1, msg.n - 1 };
	uint64_t us;

	if (msg.n < 2 || msg.p[0] != ENVELOPE_VERSION ||
	    !take_number(&rest, counter_out) || rest.n < 2 ||
	    rest.p[0] != ':' || rest.p[1] != ROUTER_TICK)
		return false;
	rest.p += 2;
	rest.n -= 2;
	if (!take_number(&rest, &us) || rest.n != 0 || us > INT64_MAX)
		return false;
	*us_out = (int64_t)us;
	return true;
}

static void lose(struct router_watch *w, const char *why)
{
	if (w->subscriptions > 1 || w->counting) {
		stats_inc(STAT_gaps);
		if (w->made_good == w->losses)
			log_warn("envelopes may have been lost: %s", why);
	}
	w->losses++;
	w->ops->lost(w->ops->arg);
}

/* What came has this counter, and what came before it must have had `before`. */
static void count(struct router_watch *w, uint64_t counter, uint64_t before)
{
	bool gap = w->counting && w->counter != before;

	w->counter = counter;
	w->counting = true;
	if (gap)
		lose(w, "not the counter that follows");
}

static void on_tick_back(struct router_watch *w, uint64_t counter, int64_t us)
{
	w->missing = 0;
	count(w, counter, counter);
	if (w->made_good == w->losses && w->good_us < us)
		w->good_us = us;
}

static void deliver(struct router_watch *w, const struct envelope *e)
{
	struct envelope one = { .counter = e->counter, .kind = ENV_EMIT,
				.event = e->event };
	struct slice users = e->users;

	if (e->kind != ENV_EMIT_MANY) {
		w->ops->deliver(w->ops->arg, e);
		return;
	}
	while (envelope_next_user(&users, &one.user_id))
		w->ops->deliver(w->ops->arg, &one);
}

static void on_message(void *arg, struct slice channel, struct slice msg)
{
	struct router_watch *w = arg;
	struct envelope e = { 0 };
	uint64_t counter;
	int64_t us;
	int err;

	(void)channel;
	if (tick_read(msg, &counter, &us)) {
		on_tick_back(w, counter, us);
		return;
	}
	err = envelope_decode(msg, &e);
	if (e.counter != 0)
		count(w, e.counter, e.counter - 1);
	if (err == 0) {
		deliver(w, &e);
	} else if (!w->complained) {
		w->complained = true;
		log_warn("ignoring what this version cannot read on its channel: %s bytes=%zu",
			 err == -ENOTSUP ? "unknown version or kind" : "malformed",
			 msg.n);
	}
}

/* The first one, too: users may have been registered before it, on the other
 * connection, while what was published to them found nobody listening. */
static void on_state(void *arg, bool up)
{
	struct router_watch *w = arg;

	w->missing = 0;
	w->counting = false;
	w->subscriptions += up;
	w->ops->subscribed(w->ops->arg, up);
	if (up)
		lose(w, "subscribed anew");
}

int64_t router_watch_good_us(const struct router_watch *w)
{
	return w->good_us;
}

unsigned router_watch_losses(const struct router_watch *w)
{
	return w->losses;
}

void router_watch_made_good(struct router_watch *w, unsigned lost)
{
	if (lost == w->losses && w->made_good != lost) {
		w->made_good = lost;
		log_debug("what may have been lost was looked up");
	}
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
	struct slice argv = slice_of(w->instance);

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
