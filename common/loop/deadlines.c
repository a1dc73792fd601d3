#include "common/loop/deadlines.h"

#include "common/base/clock.h"

/* Of a queue's length: 98 ms of 25 s, nothing of 20 ms. Thousands of sessions
 * would otherwise wake the process for a ping each. */
#define BATCHES 256

static void rearm(struct deadlines *q, int64_t least_us)
{
	struct list *n = list_first(&q->queue);
	int64_t wait;

	if (n == NULL)
		return;
	wait = LIST_ENTRY(n, struct deadline, node)->due_us - clock_mono_us();
	if (wait < least_us)
		wait = least_us;
	timer_arm(&q->timer, (wait + 999) / 1000);
}

void deadlines_run(struct deadlines *q)
{
	struct list *n = list_first(&q->queue);
	int64_t now;

	if (n == NULL)
		return;
	now = clock_mono_us();
	while ((n = list_first(&q->queue)) != NULL) {
		struct deadline *d = LIST_ENTRY(n, struct deadline, node);

		if (d->due_us > now)
			break;
		list_remove(&d->node);
		q->expired(d, q->arg);
	}
}

static void on_due(void *arg)
{
	struct deadlines *q = arg;

	deadlines_run(q);
	rearm(q, q->length_us / BATCHES);
}

void deadlines_init(struct deadlines *q, struct loop *l, int64_t length_ms,
		    void (*expired)(struct deadline *d, void *arg), void *arg)
{
	list_init(&q->queue);
	q->length_us = length_ms * 1000;
	q->expired = expired;
	q->arg = arg;
	timer_init(&q->timer, l, on_due, q);
}

void deadlines_free(struct deadlines *q)
{
	while (list_shift(&q->queue) != NULL)
		;
	timer_free(&q->timer);
}

void deadlines_set_length(struct deadlines *q, int64_t length_ms)
{
	int64_t longer_us = length_ms * 1000 - q->length_us;
	struct list *pos, *tmp;

	if (longer_us == 0)
		return;
	q->length_us += longer_us;
	LIST_FOREACH_SAFE(pos, tmp, &q->queue)
		LIST_ENTRY(pos, struct deadline, node)->due_us += longer_us;
	rearm(q, 0);
}

void deadline_init(struct deadline *d)
{
	list_init(&d->node);
	d->due_us = 0;
}

static void arm(struct deadlines *q, struct deadline *d, int64_t since_us)
{
	bool first;

	list_remove(&d->node);
	d->due_us = since_us + q->length_us;
	first = list_empty(&q->queue);
	list_append(&q->queue, &d->node);
	/* With others before it the timer runs already, and for longer than
	 * this one could need only after theirs. */
	if (first || !timer_armed(&q->timer))
		rearm(q, 0);
}

void deadline_arm(struct deadlines *q, struct deadline *d)
{
	arm(q, d, clock_mono_us());
}

void deadline_arm_since(struct deadlines *q, struct deadline *d, int64_t since_us)
{
	int64_t now = clock_mono_us();

	arm(q, d, now - since_us <= q->length_us / 2 ? since_us : now);
}

void deadline_drop(struct deadline *d)
{
	list_remove(&d->node);
}
