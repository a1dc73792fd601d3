/* Senders whose credentials are refused. Only somebody who puts the right ones in place
 * ends that, and till then what waits for them must not stop the others' notifications:
 * by its number (count_held()), or in a queue that keeps its places for the oldest one
 * only so far. Refused again by one that went a minute later, it goes to the dead
 * letter; what comes then goes there too, but for the breaker's probes and what comes
 * while one is out. With no other sender at work all of it waits, and consumption
 * pauses. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/siphash.h"
#include "pushd/apps.h"
#include "pushd/delivery_impl.h"
#include "pushd/google_token.h"

/* A provider's mishap is over by then. Not less than GOOGLE_REFUSED_MS: of a refusal
 * that is only remembered the second would say no more than the first. */
#define REFUSED_MS GOOGLE_REFUSED_MS
#define AT_WORK_MS 3600000	/* who took one this long ago still is */

static bool is_refused(void *arg, const struct sender *s)
{
	const struct delivery *d = arg;
	const char *name = sender_name(s);
	const struct map_node *n = map_find(&d->senders, hash_str(name), name);

	return n != NULL && CONTAINER_OF(n, struct line, by_name)->refused_ms != 0;
}

/* Is there somebody whom this would stop? Of several apps one perhaps of which
 * nothing is known yet: it stands behind all that waits. */
static bool others_work(struct delivery *d)
{
	int64_t now = clock_mono_ms();
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &d->lines) {
		const struct line *l = LIST_ENTRY(pos, struct line, node);

		if (l->refused_ms == 0 && l->took_ms != 0 &&
		    now - l->took_ms < AT_WORK_MS)
			return true;
	}
	return apps_one_without(d->parts.apps, is_refused, d);
}

/* Not while a probe is out, or about to go: it may be taken. */
static void shed(struct line *l)
{
	struct list *n;

	if (!l->still_refused || list_empty(&l->waiting) ||
	    breaker_wait_ms(&l->breaker, clock_mono_ms()) == 0)
		return;
	if (!l->sheds)
		log_err("%s: refused for long: notifications go to the dead letter"
			" reason=\"%s\"", l->name, l->reason);
	l->sheds = true;
	while ((n = list_first(&l->waiting)) != NULL)
		attempt_refuse(LIST_ENTRY(n, struct attempt, waits));
}

static void on_shed(void *arg)
{
	struct delivery *d = arg;
	struct list *pos, *tmp;

	if (d->stopping || !others_work(d))
		return;
	LIST_FOREACH_SAFE(pos, tmp, &d->lines)
		shed(LIST_ENTRY(pos, struct line, node));
}

bool line_refused_long(const struct line *l, int64_t now_ms)
{
	return l->refused_ms != 0 && now_ms - l->refused_ms >= REFUSED_MS;
}

void line_refused(struct line *l, const struct attempt *a)
{
	if (l->refused_ms == 0)
		l->refused_ms = clock_mono_ms();
	else if (a->late)
		l->still_refused = true;
}

void line_not_refused(struct line *l)
{
	l->refused_ms = 0;
	l->still_refused = false;
	l->sheds = false;
}

/* Not at once: whoever waits may be in the midst of something. */
void line_look_refused(struct line *l)
{
	if (l->still_refused)
		loop_defer(l->d->loop, &l->d->shed);
}

void refused_init(struct delivery *d)
{
	task_init(&d->shed, LOOP_WORK, on_shed, d);
}

void refused_free(struct delivery *d)
{
	task_cancel(&d->shed);
}
