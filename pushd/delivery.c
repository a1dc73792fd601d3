#include "pushd/delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/queue/push_queue.h"
#include "pushd/delivery_impl.h"
#include "pushd/jitter.h"
#include "pushd/meters.h"

#define REST_MS 500		/* at least; twice as long on average */

int64_t delivery_now_ms(void)
{
	return clock_wall_us() / 1000;
}

static void tell(bool *away, int err, const char *who)
{
	if (*away == (err != 0) || err == -ECANCELED)
		return;
	*away = err != 0;
	if (err != 0)
		log_warn("%s does not answer: %s", who, strerror(-err));
	else
		log_info("%s answers again", who);
}

void delivery_store_said(struct delivery *d, int err)
{
	tell(&d->store_away, err, "the message store");
}

void delivery_marks_said(struct delivery *d, int err)
{
	tell(&d->marks_away, err, "Redis, asked who was notified,");
}

static bool key_is(const struct map_node *n, const void *key)
{
	return strcmp(CONTAINER_OF(n, struct event, by_key)->key, key) == 0;
}

static void count(struct delivery *d, int by)
{
	d->in_flight = (size_t)((int64_t)d->in_flight + by);
	meter_set(METER_in_flight, (int64_t)d->in_flight);
}

/* Two of one key, by two deliveries of the queue, must not both find that
 * nobody had it. */
static void take(struct delivery *d, struct event *e)
{
	uint64_t hash = hash_str(e->key);
	struct map_node *first = map_find(&d->keys, hash, e->key);

	count(d, 1);
	if (first != NULL) {
		list_append(&CONTAINER_OF(first, struct event, by_key)->followers,
			    &e->node);
		return;
	}
	list_append(&d->events, &e->node);
	map_insert(&d->keys, &e->by_key, hash);
	event_begin(e);
}

static void reject_poison(struct delivery *d, const char *entry,
			  struct slice json, const char *why)
{
	struct push_reject r = { .entry = entry, .json = json, .reason = why };

	meter_inc(METER_events_dead);
	meter_inc(METER_events_done);
	push_consumer_reject(d->queue, &r);
}

void delivery_event(void *arg, const char *entry, struct slice json)
{
	struct delivery *d = arg;
	struct push_event ev;
	char why[128];

	if (d->stopping)
		return;
	meter_inc(METER_events);
	if (push_event_parse(json, &ev, why) != 0)
		reject_poison(d, entry, json, why);
	else
		take(d, event_take(d, entry, json, &ev));
}

static void begin_ready(void *arg)
{
	struct delivery *d = arg;
	struct list *n;

	while ((n = list_shift(&d->ready)) != NULL) {
		list_append(&d->events, n);
		event_begin(LIST_ENTRY(n, struct event, node));
	}
}

static void follow(struct delivery *d, struct event *gone)
{
	struct list *n = list_shift(&gone->followers);
	struct event *e;

	if (n == NULL)
		return;
	e = LIST_ENTRY(n, struct event, node);
	list_splice(&e->followers, &gone->followers);
	map_insert(&d->keys, &e->by_key, hash_str(e->key));
	e->phase = EVENT_ASKS;
	/* not from here: a thousand may follow one another */
	list_append(&d->ready, n);
	loop_defer(d->loop, &d->begin);
}

void delivery_remove(struct event *e)
{
	struct delivery *d = e->d;

	list_remove(&e->node);
	list_remove(&e->rests);
	if (e->phase != EVENT_FOLLOWS) {
		map_remove(&d->keys, &e->by_key);
		follow(d, e);
	}
	count(d, -1);
	if (d->stopping && d->in_flight == 0 && d->idle != NULL) {
		void (*idle)(void *arg) = d->idle;

		d->idle = NULL;
		idle(d->idle_arg);
	}
}

void delivery_rest(struct event *e, void (*resume)(struct event *e))
{
	struct delivery *d = e->d;

	e->resume = resume;
	list_remove(&e->rests);
	list_append(&d->resting, &e->rests);
	if (!timer_armed(&d->rest))
		timer_arm(&d->rest, REST_MS + jitter_ms(REST_MS));
}

static void on_rested(void *arg)
{
	struct delivery *d = arg;
	struct list batch, *n;

	list_init(&batch);
	list_splice(&batch, &d->resting);
	while ((n = list_shift(&batch)) != NULL) {
		struct event *e = LIST_ENTRY(n, struct event, rests);

		e->resume(e);
	}
}

static void drop_followers(struct event *e)
{
	struct list *n;

	while ((n = list_first(&e->followers)) != NULL)
		event_drop(LIST_ENTRY(n, struct event, node));
}

/* What is with a provider, and what has its outcome, goes on. */
static void stop_event(struct event *e)
{
	drop_followers(e);
	if (e->phase == EVENT_ASKS ||
	    (e->phase == EVENT_SETTLES && !list_empty(&e->rests))) {
		event_drop(e);
		return;
	}
	if (e->phase == EVENT_SETTLES)
		return;
	for (size_t i = 0; i < e->n; i++)
		attempt_stop(&e->attempts[i]);
	event_step(e);
}

void delivery_stop(struct delivery *d, void (*idle)(void *arg), void *arg)
{
	struct list *pos, *tmp;

	d->stopping = true;
	list_splice(&d->events, &d->ready);
	LIST_FOREACH_SAFE(pos, tmp, &d->events)
		stop_event(LIST_ENTRY(pos, struct event, node));
	if (d->in_flight == 0) {
		idle(arg);
		return;
	}
	d->idle = idle;
	d->idle_arg = arg;
}

void delivery_reloaded(struct delivery *d, const struct templates *t)
{
	d->parts.templates = t;
	if (!d->stopping)
		lines_reset(d);
}

size_t delivery_in_flight(const struct delivery *d)
{
	return d->in_flight;
}

void delivery_start(struct delivery *d, struct push_consumer *queue)
{
	d->queue = queue;
}

struct delivery *delivery_new(struct loop *l, const struct delivery_conf *c,
			      const struct delivery_parts *p)
{
	struct delivery *d = mem_zalloc(sizeof(*d));

	d->loop = l;
	d->conf = *c;
	d->parts = *p;
	list_init(&d->events);
	map_init(&d->keys, key_is);
	list_init(&d->ready);
	task_init(&d->begin, LOOP_WORK, begin_ready, d);
	list_init(&d->resting);
	timer_init(&d->rest, l, on_rested, d);
	lines_init(d);
	tokens_init(d);
	return d;
}

void delivery_free(struct delivery **dp)
{
	struct delivery *d = *dp;
	struct list *n;

	if (d == NULL)
		return;
	d->stopping = true;
	d->idle = NULL;
	list_splice(&d->events, &d->ready);
	while ((n = list_first(&d->events)) != NULL) {
		struct event *e = LIST_ENTRY(n, struct event, node);

		drop_followers(e);
		event_drop(e);
	}
	task_cancel(&d->begin);
	timer_free(&d->rest);
	tokens_free(d);
	lines_free(d);
	map_free(&d->keys);
	notification_free(&d->note);
	free(d);
	*dp = NULL;
}
