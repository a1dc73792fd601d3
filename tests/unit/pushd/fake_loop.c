#include "tests/unit/pushd/fake_loop.h"

#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define MONO_MS 1000000
#define WALL_MS 1767323045000

struct loop {
	struct list tasks[LOOP__STAGES];
	struct list timers;	/* armed */
};

struct event {
	struct list node;
	struct loop *loop;
	struct timer *timer;
	int64_t due_ms;
};

static void set_now(int64_t mono_ms)
{
	clock_fake_set(mono_ms * 1000, (WALL_MS + mono_ms - MONO_MS) * 1000);
}

int64_t fake_now_ms(void)
{
	return clock_mono_ms();
}

struct loop *fake_loop_new(void)
{
	struct loop *l = mem_zalloc(sizeof(*l));

	for (int i = 0; i < LOOP__STAGES; i++)
		list_init(&l->tasks[i]);
	list_init(&l->timers);
	set_now(MONO_MS);
	return l;
}

void loop_free(struct loop **l)
{
	cr_assert(list_empty(&(*l)->timers), "a timer outlived its owner");
	for (int i = 0; i < LOOP__STAGES; i++)
		cr_assert(list_empty(&(*l)->tasks[i]), "so did a task");
	free(*l);
	*l = NULL;
}

bool fake_loop_deferred(struct loop *l)
{
	bool any = false;
	struct list *n;

	for (int i = 0; i < LOOP__STAGES; i++)
		while ((n = list_shift(&l->tasks[i])) != NULL) {
			struct task *t = LIST_ENTRY(n, struct task, node);

			any = true;
			t->fn(t->arg);
		}
	return any;
}

bool fake_loop_next(struct loop *l, int64_t until_ms)
{
	struct event *first = NULL;
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &l->timers) {
		struct event *ev = LIST_ENTRY(pos, struct event, node);

		if (first == NULL || ev->due_ms < first->due_ms)
			first = ev;
	}
	if (first == NULL || first->due_ms > until_ms) {
		set_now(until_ms);
		return false;
	}
	list_remove(&first->node);
	if (first->due_ms > fake_now_ms())
		set_now(first->due_ms);
	first->timer->fn(first->timer->arg);
	return true;
}

void task_init(struct task *t, enum loop_stage stage, void (*fn)(void *arg),
	       void *arg)
{
	list_init(&t->node);
	t->fn = fn;
	t->arg = arg;
	t->stage = stage;
}

void loop_defer(struct loop *l, struct task *t)
{
	if (list_empty(&t->node))
		list_append(&l->tasks[t->stage], &t->node);
}

void task_cancel(struct task *t)
{
	list_remove(&t->node);
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg), void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->ev = mem_zalloc(sizeof(*t->ev));
	list_init(&t->ev->node);
	t->ev->loop = l;
	t->ev->timer = t;
}

void timer_arm(struct timer *t, int64_t ms)
{
	list_remove(&t->ev->node);
	t->ev->due_ms = fake_now_ms() + (ms > 0 ? ms : 0);
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
