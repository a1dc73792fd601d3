#include "config.h"

#include "master/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/ipc/stats.h"
#include "master/listener.h"
#include "master/supervisor.h"

struct status {
	const struct conf *conf;
	const struct listeners *listeners;
	int64_t started_ms;
	json_t *retired;	/* counters of the dead */
};

struct status *status_new(const struct conf *conf,
			  const struct listeners *listeners)
{
	struct status *s = mem_zalloc(sizeof(*s));

	s->conf = conf;
	s->listeners = listeners;
	s->started_ms = clock_mono_ms();
	s->retired = json_object();
	return s;
}

void status_free(struct status **sp)
{
	struct status *s = *sp;

	if (s == NULL)
		return;
	json_decref(s->retired);
	free(s);
	*sp = NULL;
}

static void add_to(json_t *sums, const char *name, int64_t v)
{
	json_t *old = json_object_get(sums, name);

	if (old != NULL)
		v += json_integer_value(old);
	json_object_set_new(sums, name, json_integer(v));
}

void status_worker_died(struct status *s, struct instance *i)
{
	const struct stats_view *v = instance_stats(i);
	struct stats_item it;

	for (size_t n = 0; v != NULL && stats_view_item(v, n, &it); n++)
		if (it.kind == 'c')
			add_to(s->retired, it.name, it.value);
}

static json_t *item_json(const struct stats_item *it)
{
	if (it->kind != 'h')
		return json_integer(it->value);
	return json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)it->count,
			 "sum_us", (json_int_t)it->sum_us, "p50_us",
			 (json_int_t)it->p50_us, "p99_us",
			 (json_int_t)it->p99_us);
}

/* The worker's own items; counters and gauges go into totals as well. */
static json_t *stats_json(const struct stats_view *v, json_t *totals)
{
	json_t *stats = json_object();
	struct stats_item it;

	for (size_t n = 0; v != NULL && stats_view_item(v, n, &it); n++) {
		json_object_set_new(stats, it.name, item_json(&it));
		if (it.kind != 'h' && strcmp(it.name, "heartbeat_ms") != 0)
			add_to(totals, it.name, it.value);
	}
	return stats;
}

static const char *state_name(const struct instance *i)
{
	static const char *const names[] = {
		[INSTANCE_STARTING] = "starting",
		[INSTANCE_READY] = "ready",
		[INSTANCE_STOPPING] = "stopping",
		[INSTANCE_KILLED] = "killed",
	};

	return i == NULL ? "backoff" : names[i->state];
}

static json_t *number_or_null(bool known, int64_t v)
{
	return known ? json_integer(v) : json_null();
}

static json_t *slot_json(unsigned slot, const struct slot_view *view,
			 int64_t now, json_t *totals)
{
	struct instance *w = view->worker;
	const struct stats_view *v = w != NULL ? instance_stats(w) : NULL;
	int64_t beat = v != NULL ? stats_view_value(v, "heartbeat_ms", 0) : 0;

	return json_pack(
		"{s:i, s:o, s:o, s:s, s:i, s:o, s:o, s:o, s:o}",
		"slot", (int)slot,
		"instance", number_or_null(w != NULL, w != NULL ? w->id : 0),
		"pid", number_or_null(w != NULL, w != NULL ? w->pid : 0),
		"state", state_name(w),
		"restarts", (int)view->restarts,
		"uptime_ms", number_or_null(w != NULL,
					    w != NULL ? now - w->started_ms : 0),
		"heartbeat_age_ms", number_or_null(beat != 0, now - beat),
		"lent_to", number_or_null(view->lent_to != 0, view->lent_to),
		"stats", stats_json(v, totals));
}

static const char *master_state(const struct supervisor *sup)
{
	if (supervisor_stopping(sup))
		return "stopping";
	if (supervisor_ready(sup) == supervisor_slots(sup))
		return "ready";
	return supervisor_started(sup) ? "degraded" : "starting";
}

json_t *status_json(struct status *s, const struct supervisor *sup)
{
	json_t *totals = json_copy(s->retired), *slots = json_array();
	unsigned n = supervisor_slots(sup), ready = supervisor_ready(sup);
	int64_t now = clock_mono_ms();

	for (unsigned i = 0; i < n; i++) {
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		json_array_append_new(slots, slot_json(i, &v, now, totals));
	}
	return json_pack(
		"{s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:I, s:i, s:i, s:o, s:o}",
		"version", PACKAGE_VERSION,
		"node", s->conf->node,
		"host", listeners_host(s->listeners),
		"port", (int)listeners_port(s->listeners),
		"pid", (int)getpid(),
		"boot", supervisor_boot(sup),
		"state", master_state(sup),
		"uptime_ms", (json_int_t)(now - s->started_ms),
		"workers", (int)n,
		"ready", (int)ready,
		"slots", slots,
		"totals", totals);
}
