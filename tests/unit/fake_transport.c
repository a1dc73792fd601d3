#include "tests/unit/fake_transport.h"

#include <string.h>

#include "common/base/clock.h"
#include "worker/engineio/outbox.h"

static int fake_flush(struct transport *t, struct outbox *o)
{
	struct fake_transport *f = CONTAINER_OF(t, struct fake_transport, t);
	struct slice packet;
	bool binary;

	if (f->blocked)
		return 0;
	f->writes++;
	while (outbox_peek(o, &packet, &binary)) {
		if (binary)
			buf_adds(&f->out, "B:");
		if (!binary && packet.n == 1 && packet.p[0] == '2') {
			f->pings++;
			f->ping_at_us = clock_mono_us();
		}
		buf_add(&f->out, packet.p, packet.n);
		buf_addc(&f->out, '\n');
		outbox_pop(o);
		f->blocked = f->poll;
	}
	return 0;
}

static void fake_close(struct transport *t, struct outbox *rest,
		       enum close_reason why)
{
	struct fake_transport *f = CONTAINER_OF(t, struct fake_transport, t);

	fake_flush(t, rest);
	f->closed = true;
	f->why = why;
}

static bool fake_waiting(const struct transport *t)
{
	return !CONTAINER_OF(t, struct fake_transport, t)->blocked;
}

static void fake_left(struct transport *t)
{
	CONTAINER_OF(t, struct fake_transport, t)->left = true;
}

static const struct transport_ops fixed_ops = {
	.name = "websocket", .flush = fake_flush, .close = fake_close,
};
static const struct transport_ops upgradable_ops = {
	.name = "polling", .upgradable = true,
	.flush = fake_flush, .waiting = fake_waiting,
	.close = fake_close, .left = fake_left,
};

void fake_transport_init(struct fake_transport *f, bool upgradable)
{
	*f = (struct fake_transport){ 0 };
	f->t.ops = upgradable ? &upgradable_ops : &fixed_ops;
}

void fake_transport_free(struct fake_transport *f)
{
	buf_free(&f->out);
}

const char *fake_transport_take(struct fake_transport *f)
{
	const char *text = buf_str(&f->out);

	buf_clear(&f->out);
	return text;
}

struct waiter {
	struct loop *loop;
	struct timer timer;
	bool (*cond)(void *arg);
	void *arg;
	int64_t until_ms;
	bool met;
};

static void on_tick(void *arg)
{
	struct waiter *w = arg;

	w->met = w->cond != NULL && w->cond(w->arg);
	if (w->met || clock_mono_ms() >= w->until_ms)
		loop_stop(w->loop);
	else
		timer_arm(&w->timer, 1);
}

static bool run(struct loop *l, bool (*cond)(void *arg), void *arg, int64_t ms)
{
	struct waiter w = {
		.loop = l, .cond = cond, .arg = arg,
		.until_ms = clock_mono_ms() + ms,
	};

	timer_init(&w.timer, l, on_tick, &w);
	timer_arm(&w.timer, 0);
	loop_run(l);
	timer_free(&w.timer);
	return w.met;
}

void run_turn(struct loop *l)
{
	run(l, NULL, NULL, 0);
}

bool run_until(struct loop *l, bool (*cond)(void *arg), void *arg)
{
	return run(l, cond, arg, 60000);
}

void run_for(struct loop *l, int64_t ms)
{
	run(l, NULL, NULL, ms);
}
