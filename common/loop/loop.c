#include "common/loop/loop.h"

#include <stdlib.h>

#include <event2/event.h>

#include "common/base/log.h"
#include "common/base/mem.h"

struct signal_watch {
	struct list node;
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct event *wake;	/* bounds a block to the nested loop's timeout */
	struct loop_nested nested;
	struct list stages[LOOP__STAGES];
	struct list signals;
	bool stopping;
};

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

struct loop *loop_new(void)
{
	struct loop *l = mem_zalloc(sizeof(*l));

	l->base = event_base_new();
	if (l->base == NULL)
		log_fatal("event_base_new failed");
	l->wake = evtimer_new(l->base, on_wake, NULL);
	for (int i = 0; i < LOOP__STAGES; i++)
		list_init(&l->stages[i]);
	list_init(&l->signals);
	return l;
}

void loop_free(struct loop **lp)
{
	struct loop *l = *lp;
	struct list *pos, *tmp;

	if (l == NULL)
		return;
	LIST_FOREACH_SAFE(pos, tmp, &l->signals) {
		struct signal_watch *w =
			LIST_ENTRY(pos, struct signal_watch, node);

		event_free(w->ev);
		free(w);
	}
	event_free(l->wake);
	event_base_free(l->base);
	free(l);
	*lp = NULL;
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

void loop_nest(struct loop *l, const struct loop_nested *nested)
{
	l->nested = *nested;
}

/* Later stages may queue earlier ones again; each pass takes what is there. */
static void run_deferred(struct loop *l)
{
	int stage = 0;

	while (stage < LOOP__STAGES) {
		struct list *n = list_shift(&l->stages[stage]);

		if (n == NULL) {
			stage++;
			continue;
		}
		struct task *t = LIST_ENTRY(n, struct task, node);

		t->fn(t->arg);
		for (int i = 0; i < stage; i++) {
			if (!list_empty(&l->stages[i])) {
				stage = i;
				break;
			}
		}
	}
}

static bool may_block(struct loop *l)
{
	struct timeval tv;
	int ms;

	if (l->nested.run == NULL)
		return true;
	l->nested.run(l->nested.arg);
	run_deferred(l);
	ms = l->nested.timeout_ms(l->nested.arg);
	if (ms > 0) {
		tv.tv_sec = ms / 1000;
		tv.tv_usec = ms % 1000 * 1000;
		evtimer_add(l->wake, &tv);
	}
	return ms != 0;
}

void loop_run(struct loop *l)
{
	l->stopping = false;
	for (;;) {
		int flags = EVLOOP_ONCE;

		run_deferred(l);
		if (!may_block(l))
			flags |= EVLOOP_NONBLOCK;
		if (l->stopping)
			break;
		/* 1: no events are registered at all */
		if (event_base_loop(l->base, flags) != 0)
			break;
	}
	run_deferred(l);
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
	event_base_loopbreak(l->base);
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

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *arg),
		void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->ev = evtimer_new(l->base, on_timer, t);
	if (t->ev == NULL)
		log_fatal("evtimer_new failed");
}

void timer_arm(struct timer *t, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	evtimer_add(t->ev, &tv);
}

void timer_disarm(struct timer *t)
{
	if (t->ev != NULL)
		evtimer_del(t->ev);
}

bool timer_armed(const struct timer *t)
{
	return t->ev != NULL && evtimer_pending(t->ev, NULL);
}

void timer_free(struct timer *t)
{
	if (t->ev != NULL)
		event_free(t->ev);
	t->ev = NULL;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;

	(void)fd;
	io->fn(io->arg, ((what & EV_READ) ? IO_READ : 0) |
				((what & EV_WRITE) ? IO_WRITE : 0));
}

void io_init(struct io *io, struct loop *l, int fd,
	     void (*fn)(void *arg, int what), void *arg)
{
	*io = (struct io){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
	io->ev = event_new(l->base, fd, 0, on_io, io);
	if (io->ev == NULL)
		log_fatal("event_new failed");
}

void io_watch(struct io *io, int what)
{
	short events = EV_PERSIST;

	event_del(io->ev);
	if (what & IO_READ)
		events |= EV_READ;
	if (what & IO_WRITE)
		events |= EV_WRITE;
	if (what == 0)
		return;
	event_assign(io->ev, io->loop->base, io->fd, events, on_io, io);
	event_add(io->ev, NULL);
}

void io_free(struct io *io)
{
	if (io->ev != NULL)
		event_free(io->ev);
	io->ev = NULL;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct signal_watch *w = arg;

	(void)fd;
	(void)what;
	w->fn(w->arg);
}

void loop_signal(struct loop *l, int signo, void (*fn)(void *arg), void *arg)
{
	struct signal_watch *w = mem_zalloc(sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	w->ev = evsignal_new(l->base, signo, on_signal, w);
	event_add(w->ev, NULL);
	list_append(&l->signals, &w->node);
}
