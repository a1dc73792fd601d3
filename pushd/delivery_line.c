/* The line before a sender: while its breaker is open, attempts wait here. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/queue/push_queue.h"
#include "pushd/delivery_impl.h"
#include "pushd/meters.h"

#define LOOK_MS 60000		/* for what expired meanwhile, at least this often */
/* Most users have a device or two; a hundred each must not fill the memory. */
#define OUT_PER_EVENT 2
#define TOLD_MS 3600000		/* a rejection is told again after this */

static bool line_is(const struct map_node *n, const void *name)
{
	return strcmp(CONTAINER_OF(n, struct line, by_name)->name, name) == 0;
}

/* Half of what may be in flight waits: taking more would only pile it up. */
static void count_held(struct delivery *d, int by)
{
	bool pause;

	d->held = (size_t)((int64_t)d->held + by);
	pause = d->paused ? d->held > d->conf.max_in_flight / 4 :
			    d->held >= d->conf.max_in_flight / 2 && d->held > 0;
	if (pause == d->paused || d->stopping)
		return;
	d->paused = pause;
	meter_set(METER_paused, pause);
	push_consumer_pause(d->queue, pause);
}

bool line_shut(const struct line *l)
{
	return l->out >= OUT_PER_EVENT * (size_t)l->d->conf.max_in_flight ||
	       l->breaker.state == BREAKER_PROBING ||
	       breaker_wait_ms(&l->breaker, clock_mono_ms()) > 0;
}

static void arm(struct line *l)
{
	int64_t wait = breaker_wait_ms(&l->breaker, clock_mono_ms());

	if (!list_empty(&l->waiting) && !timer_armed(&l->timer))
		timer_arm(&l->timer, wait > 0 && wait < LOOK_MS ? wait : LOOK_MS);
}

void line_hold(struct line *l, struct attempt *a)
{
	list_append(&l->waiting, &a->waits);
	line_look_refused(l);
	arm(l);
	if (a->e->held++ == 0)
		count_held(l->d, 1);
}

void line_leave(struct attempt *a)
{
	if (list_empty(&a->waits))
		return;
	list_remove(&a->waits);
	if (--a->e->held == 0)
		count_held(a->e->d, -1);
}

void line_pass(struct line *l, struct attempt *a)
{
	int64_t now = clock_mono_ms();

	(void)breaker_allows(&l->breaker, now);
	a->probe = l->breaker.state == BREAKER_PROBING;
	a->late = a->probe && line_refused_long(l, now);
	a->resets = l->resets;
}

static void opened(struct line *l, const struct outcome *o, bool was_closed)
{
	int64_t ms = breaker_wait_ms(&l->breaker, clock_mono_ms());

	if (was_closed)
		meter_add_each(METER_breaker_open, l->provider, 1);
	else if (strcmp(l->reason, o->reason) == 0)
		return;
	memcpy(l->reason, o->reason, sizeof(l->reason));
	LOG_AT(o->kind == OUTCOME_CONFIG ? LOG_LVL_ERR : LOG_LVL_WARN,
	       "%s: notifications wait for_ms=%" PRId64 " reason=\"%s\"", l->name,
	       ms, l->reason);
}

static void closed(struct line *l)
{
	log_info("%s: takes notifications again", l->name);
	l->reason[0] = '\0';
	line_not_refused(l);
}

void line_answer(struct line *l, const struct attempt *a,
		 const struct outcome *o)
{
	enum breaker_state was = l->breaker.state;
	enum breaker_why why = o->kind == OUTCOME_RETRY ? BREAKER_FAILED :
			       o->kind == OUTCOME_PAUSE ? BREAKER_PAUSE :
							  BREAKER_AT_ONCE;

	if (a->resets != l->resets)	/* of the credentials before */
		return;
	if (o->unasked) {
		if (a->probe)
			breaker_unprobed(&l->breaker);
		return;
	}
	if (o->kind == OUTCOME_OK || o->kind == OUTCOME_DELETE ||
	    o->kind == OUTCOME_REJECT || o->this_device) {
		breaker_ok(&l->breaker);
		l->took_ms = clock_mono_ms();
		if (was == BREAKER_PROBING)
			closed(l);
		return;
	}
	/* sent before it opened: no judgement on the probe */
	if (was == BREAKER_PROBING && !a->probe && why == BREAKER_FAILED)
		return;
	breaker_failed(&l->breaker, clock_mono_ms(), o->retry_after_ms, why);
	if (was == BREAKER_CLOSED || a->probe) {
		if (o->kind == OUTCOME_CONFIG)
			line_refused(l, a);
		else
			line_not_refused(l);
	}
	if (l->breaker.state == BREAKER_OPEN && was != BREAKER_OPEN)
		opened(l, o, was == BREAKER_CLOSED);
}

void line_rejected(struct line *l, const struct outcome *o)
{
	const char *const *reasons = outcome_reasons(l->provider);
	int64_t now = clock_mono_ms();
	unsigned i = 0;

	while (reasons[i + 1] != NULL && strcmp(reasons[i], o->reason) != 0)
		i++;
	if (now - l->told_ms >= TOLD_MS) {
		l->told_ms = now;
		l->told = 0;
	}
	if ((l->told & UINT64_C(1) << i % 64) != 0)
		return;
	l->told |= UINT64_C(1) << i % 64;
	log_err("%s: notifications go to the dead letter reason=\"%s\"", l->name,
		o->reason);
}

void line_run(struct line *l)
{
	struct list *n;

	timer_disarm(&l->timer);	/* it may be for another wait */
	while (!line_shut(l) && (n = list_first(&l->waiting)) != NULL) {
		struct attempt *a = LIST_ENTRY(n, struct attempt, waits);

		line_leave(a);
		/* one that asks first may be the probe; the others wait for it */
		if (!attempt_resume(a) && l->breaker.state != BREAKER_CLOSED)
			break;
	}
	arm(l);
}

static void on_timer(void *arg)
{
	struct line *l = arg;
	struct list *pos, *tmp;
	int64_t now = delivery_now_ms();

	LIST_FOREACH_SAFE(pos, tmp, &l->waiting) {
		struct attempt *a = LIST_ENTRY(pos, struct attempt, waits);

		if (now >= a->e->ev.expires_at_ms)
			attempt_expire(a);
	}
	line_look_refused(l);
	line_run(l);
}

struct line *line_of(struct delivery *d, const struct sender *s)
{
	const char *name = sender_name(s);
	uint64_t hash = hash_str(name);
	struct map_node *found = map_find(&d->senders, hash, name);
	struct line *l;

	if (found != NULL)
		return CONTAINER_OF(found, struct line, by_name);
	l = mem_zalloc(sizeof(*l) + strlen(name) + 1);
	l->d = d;
	l->provider = sender_provider(s);
	strcpy(l->name, name);
	breaker_init(&l->breaker);
	guard_init(&l->guard, d->conf.guard_share);
	list_init(&l->waiting);
	timer_init(&l->timer, d->loop, on_timer, l);
	list_append(&d->lines, &l->node);
	map_insert(&d->senders, &l->by_name, hash);
	return l;
}

void lines_reset(struct delivery *d)
{
	struct list *pos, *tmp;

	tokens_put_off(d);
	LIST_FOREACH_SAFE(pos, tmp, &d->lines) {
		struct line *l = LIST_ENTRY(pos, struct line, node);

		guard_renew(&l->guard);
		if (l->breaker.state != BREAKER_CLOSED)
			closed(l);
		breaker_init(&l->breaker);
		l->resets++;
		line_run(l);
	}
}

void lines_init(struct delivery *d)
{
	list_init(&d->lines);
	map_init(&d->senders, line_is);
	refused_init(d);
}

void lines_free(struct delivery *d)
{
	struct list *n;

	refused_free(d);
	while ((n = list_shift(&d->lines)) != NULL) {
		struct line *l = LIST_ENTRY(n, struct line, node);

		timer_free(&l->timer);
		free(l);
	}
	map_free(&d->senders);
}
