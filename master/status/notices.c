#include "master/status/notices.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/ipc/backend_rows.h"
#include "common/ipc/stats.h"
#include "common/loop/loop.h"
#include "common/service/notify.h"
#include "master/status/status.h"
#include "master/workers/supervisor.h"
#include "master/status/tally.h"

#define TICK_MS 1000
/* While stopping, with each tick. Whoever needs longer has no loop any more. */
#define EXTEND_MS 10000
/* A worker that serves tells four times a second that its loop turns. */
#define BEAT_MS 2000

/* A change of this is told at once. */
struct who_serves {
	unsigned ready, draining, left;
	bool started, stopping;
};

struct notices {
	struct timer tick;
	int64_t every_ms;
	int64_t told_ms;	/* monotonic */
	struct who_serves told;
	struct status *status;
	const struct supervisor *sup;
};

static bool beats(struct instance *i, int64_t now)
{
	const struct stats_view *v = instance_stats(i);
	int64_t beat = i->ready_ms;

	if (v != NULL && stats_view_value(v, "heartbeat_ms", 0) > beat)
		beat = stats_view_value(v, "heartbeat_ms", 0);
	return now - beat <= BEAT_MS;
}

/* The watchdog's question. A start or a stop has time limits of its own. */
static bool serves(void *arg)
{
	const struct notices *n = arg;
	int64_t now = clock_mono_ms();
	struct slot_view slot;

	if (!supervisor_started(n->sup) || supervisor_stopping(n->sup))
		return true;
	for (unsigned i = 0; i < supervisor_slots(n->sup); i++) {
		supervisor_slot(n->sup, i, &slot);
		if (slot.worker != NULL && slot.worker->state == INSTANCE_READY &&
		    beats(slot.worker, now))
			return true;
	}
	return false;
}

static struct who_serves look(const struct supervisor *sup)
{
	struct who_serves w = { .ready = supervisor_ready(sup),
				.draining = supervisor_draining(sup),
				.started = supervisor_started(sup),
				.stopping = supervisor_stopping(sup) };
	struct slot_view slot;

	for (unsigned i = 0; i < supervisor_slots(sup); i++) {
		supervisor_slot(sup, i, &slot);
		w.left += slot.worker != NULL;
	}
	w.left += w.draining;
	return w;
}

/* "1,200" */
static void add_number(struct buf *out, int64_t value)
{
	char digits[32];
	int n = snprintf(digits, sizeof(digits), "%" PRId64, value);

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			buf_addc(out, ',');
		buf_addc(out, digits[i]);
	}
}

static void add_down(struct buf *out, bool *any, const char *backend)
{
	buf_adds(out, *any ? ", " : ", down: ");
	buf_adds(out, backend);
	*any = true;
}

static void add_figures(struct buf *out, const struct notices *n, unsigned ready)
{
	struct tally t = { 0 };
	bool any = false;

	status_totals(n->status, n->sup, &t);
	buf_adds(out, ", ");
	add_number(out, tally_value(&t, "connections"));
	buf_adds(out, " connections, ");
	add_number(out, tally_value(&t, "users"));
	buf_adds(out, " users");
#define BACKEND_DOWN(name, gauge, text)                                        \
	if (status_reaching(n->sup, #gauge) < ready)                           \
		add_down(out, &any, text);
	BACKEND_ROWS(BACKEND_DOWN)
#undef BACKEND_DOWN
	tally_free(&t);
}

static void tell(struct notices *n, const struct who_serves *w)
{
	struct buf line = { 0 };

	if (w->stopping) {
		buf_printf(&line, "stopping: %u workers left", w->left);
	} else {
		buf_printf(&line, "%s%u of %u workers",
			   w->started ? "" : "starting: ", w->ready,
			   supervisor_slots(n->sup));
		if (w->draining > 0)
			buf_printf(&line, ", %u draining", w->draining);
		if (w->started)
			add_figures(&line, n, w->ready);
	}
	notify_status("%s", buf_str(&line));
	buf_free(&line);
	n->told = *w;
	n->told_ms = clock_mono_ms();
}

static void on_tick(void *arg)
{
	struct notices *n = arg;
	struct who_serves w = look(n->sup);
	bool due = n->every_ms > 0 &&
		   clock_mono_ms() - n->told_ms >= n->every_ms;

	timer_arm(&n->tick, TICK_MS);
	if (w.stopping)
		notify_extend(EXTEND_MS);
	if (due || w.ready != n->told.ready ||
	    w.draining != n->told.draining || w.left != n->told.left ||
	    w.started != n->told.started || w.stopping != n->told.stopping)
		tell(n, &w);
}

struct notices *notices_new(struct loop *l, int64_t ms, struct status *s,
			    const struct supervisor *sup)
{
	struct notices *n;
	struct who_serves w;

	if (getenv("NOTIFY_SOCKET") == NULL)
		return NULL;
	n = mem_zalloc(sizeof(*n));
	n->every_ms = ms;
	n->status = s;
	n->sup = sup;
	timer_init(&n->tick, l, on_tick, n);
	timer_arm(&n->tick, TICK_MS);
	notify_watchdog(l, serves, n);
	w = look(sup);
	tell(n, &w);
	return n;
}

void notices_set_interval(struct notices *n, int64_t ms)
{
	if (n != NULL)
		n->every_ms = ms;
}

void notices_changed(struct notices *n)
{
	if (n != NULL)
		on_tick(n);
}

void notices_free(struct notices **np)
{
	struct notices *n = *np;

	if (n == NULL)
		return;
	notify_end();
	timer_free(&n->tick);
	free(n);
	*np = NULL;
}
