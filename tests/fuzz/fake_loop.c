#include "tests/fuzz/fake_loop.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

struct loop {
	struct list stages[LOOP__STAGES];
	struct list timers;	/* armed, in the order of arming */
};

struct event {
	struct list node;
	struct loop *loop;
	struct timer *timer;
	int64_t due_us;
};

struct loop *loop_new(void)
{
	struct loop *l = mem_zalloc(sizeof(*l));

	for (int i = 0; i < LOOP__STAGES; i++)
		list_init(&l->stages[i]);
	list_init(&l->timers);
	return l;
}

void loop_free(struct loop **l)
{
	free(*l);
	*l = NULL;
}

void task_init(struct task *t, enum loop_stage stage, void (*fn)(void *arg),
	       void *arg)
{
	list_init(&t->node);
	t->stage = stage;
	t->fn = fn;
	t->arg = arg;
}

void loop_defer(struct loop *l, struct task *t)
{
	if (list_empty(&t->node))
		list_append(&l->stages[t->stage], &t->node);
}

void task_cancel(struct task *t)
{
	if (t->node.next != NULL)
		list_remove(&t->node);
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg),
		void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->ev = mem_zalloc(sizeof(*t->ev));
	t->ev->loop = l;
	t->ev->timer = t;
	list_init(&t->ev->node);
}

void timer_arm(struct timer *t, int64_t ms)
{
	list_remove(&t->ev->node);
	t->ev->due_us = clock_mono_us() + (ms > 0 ? ms : 0) * 1000;
	list_append(&t->ev->loop->timers, &t->ev->node);
}

void timer_disarm(struct timer *t)
{
	if (t->ev != NULL)
		list_remove(&t->ev->node);
}

bool timer_armed(const struct timer *t)
{
	return t->ev != NULL && !list_empty(&t->ev->node);
}

void timer_free(struct timer *t)
{
	timer_disarm(t);
	free(t->ev);
	t->ev = NULL;
}

void fake_loop_turn(struct loop *l)
{
	int stage = 0;

	while (stage < LOOP__STAGES) {
		struct list *n = list_shift(&l->stages[stage]);
		struct task *t;

		if (n == NULL) {
			stage++;
			continue;
		}
		t = LIST_ENTRY(n, struct task, node);
		t->fn(t->arg);
		stage = 0;
	}
}

static struct event *next_due(struct loop *l, int64_t until_us)
{
	struct event *first = NULL;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &l->timers) {
		struct event *e = LIST_ENTRY(pos, struct event, node);

		if (e->due_us <= until_us &&
		    (first == NULL || e->due_us < first->due_us))
			first = e;
	}
	return first;
}

void fake_loop_pass(struct loop *l, int64_t ms)
{
	int64_t until_us = clock_mono_us() + ms * 1000;
	struct event *e;

	fake_loop_turn(l);
	while ((e = next_due(l, until_us)) != NULL) {
		if (e->due_us > clock_mono_us())
			clock_fake_set(e->due_us, e->due_us);
		list_remove(&e->node);
		e->timer->fn(e->timer->arg);
		fake_loop_turn(l);
	}
	clock_fake_set(until_us, until_us);
}
