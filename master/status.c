#include "config.h"

#include "master/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/ipc/stats.h"
#include "master/backend_rows.h"
#include "master/listener.h"
#include "master/metrics.h"
#include "master/proc_stat.h"
#include "master/supervisor.h"

/* Of a slot's dead workers. */
struct ended {
	struct tally tally;
	int64_t cpu_us;
};

struct status {
	const struct conf *conf;
	const struct listeners *listeners;
	const char *admin;
	int64_t started_ms;
	int64_t started_us;	/* wall clock */
	struct ended *ended;	/* by slot */
	unsigned slots;
};

struct status *status_new(const struct conf *conf,
			  const struct listeners *listeners, const char *admin,
			  unsigned slots)
{
	struct status *s = mem_zalloc(sizeof(*s));

	s->conf = conf;
	s->listeners = listeners;
	s->admin = admin;
	s->started_ms = clock_mono_ms();
	s->started_us = clock_wall_us();
	s->ended = mem_zalloc(slots * sizeof(*s->ended));
	s->slots = slots;
	return s;
}

void status_free(struct status **sp)
{
	struct status *s = *sp;

	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->slots; i++)
		tally_free(&s->ended[i].tally);
	free(s->ended);
	free(s);
	*sp = NULL;
}

void status_worker_died(struct status *s, struct instance *i)
{
	struct ended *e = &s->ended[i->slot];

	tally_add_page(&e->tally, instance_stats(i), false);
	e->cpu_us += i->cpu_us;
}

/* Of the worker in a slot and those before it; gauges of this one alone. */
static void slot_tally(struct status *s, unsigned slot, struct instance *now,
		       struct tally *out)
{
	if (now != NULL)
		tally_add_page(out, instance_stats(now), true);
	tally_add(out, &s->ended[slot].tally);
}

void status_totals(struct status *s, const struct supervisor *sup,
		   struct tally *out)
{
	for (unsigned i = 0; i < s->slots; i++) {
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		slot_tally(s, i, v.worker, out);
	}
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

/* The worker's own items. */
static json_t *stats_json(const struct stats_view *v)
{
	json_t *stats = json_object();
	struct stats_item it;

	for (size_t n = 0; v != NULL && stats_view_item(v, n, &it); n++)
		json_object_set_new(stats, it.name, item_json(&it));
	return stats;
}

static json_t *totals_json(const struct tally *t)
{
	json_t *totals = json_object();

	for (size_t i = 0; i < t->n; i++) {
		const struct stats_item *it = &t->items[i];

		if (it->kind != 'h' && strcmp(it->name, "heartbeat_ms") != 0)
			json_object_set_new(totals, it->name,
					    json_integer(it->value));
	}
	return totals;
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

/* -1: not known. */
static int64_t heartbeat_age_ms(struct instance *w)
{
	const struct stats_view *v = w != NULL ? instance_stats(w) : NULL;
	int64_t beat = v != NULL ? stats_view_value(v, "heartbeat_ms", 0) : 0;

	return beat != 0 ? clock_mono_ms() - beat : -1;
}

static json_t *slot_json(unsigned slot, const struct slot_view *view)
{
	struct instance *w = view->worker;
	int64_t up = w != NULL ? clock_mono_ms() - w->started_ms : 0;
	int64_t age = heartbeat_age_ms(w);

	return json_pack(
		"{s:i, s:o, s:o, s:s, s:i, s:o, s:o, s:o, s:o}",
		"slot", (int)slot,
		"instance", number_or_null(w != NULL, w != NULL ? w->id : 0),
		"pid", number_or_null(w != NULL, w != NULL ? w->pid : 0),
		"state", state_name(w),
		"restarts", (int)view->restarts,
		"uptime_ms", number_or_null(w != NULL, up),
		"heartbeat_age_ms", number_or_null(age != -1, age),
		"lent_to", number_or_null(view->lent_to != 0, view->lent_to),
		"stats", stats_json(w != NULL ? instance_stats(w) : NULL));
}

static json_t *slots_json(const struct supervisor *sup)
{
	json_t *slots = json_array();

	for (unsigned i = 0; i < supervisor_slots(sup); i++) {
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		json_array_append_new(slots, slot_json(i, &v));
	}
	return slots;
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
	struct tally sum = { 0 };
	json_t *totals;

	status_totals(s, sup, &sum);
	totals = totals_json(&sum);
	tally_free(&sum);
	return json_pack(
		"{s:s, s:s, s:s, s:i, s:s?, s:i, s:s, s:s, s:I, s:i, s:i, s:o, "
		"s:o}",
		"version", PACKAGE_VERSION,
		"node", s->conf->node,
		"host", listeners_host(s->listeners),
		"port", (int)listeners_port(s->listeners),
		"admin", s->admin,
		"pid", (int)getpid(),
		"boot", supervisor_boot(sup),
		"state", master_state(sup),
		"uptime_ms", (json_int_t)(clock_mono_ms() - s->started_ms),
		"workers", (int)supervisor_slots(sup),
		"ready", (int)supervisor_ready(sup),
		"slots", slots_json(sup),
		"totals", totals);
}

/* One that no worker has is down, also while there is no worker. */
static json_t *backend_json(int64_t up, unsigned workers)
{
	return json_pack("{s:s, s:I}", "state",
			 up == 0 ? "down" : up < workers ? "partly" : "up",
			 "workers", (json_int_t)up);
}

int64_t status_online(const struct tally *sum)
{
	return tally_value(sum, tally_value(sum, "redis_up") > 0 ?
					"cluster_online_users" : "users");
}

int64_t status_rooms(const struct tally *sum)
{
	return tally_value(sum, "sockets") + tally_value(sum, "users");
}

json_t *status_page_json(struct status *s, const struct supervisor *sup)
{
	unsigned n = supervisor_slots(sup);
	json_t *backends = json_object(), *page;
	struct tally sum = { 0 };
	char now[TIME_ISO_LEN + 1];

	status_totals(s, sup, &sum);
	time_iso(clock_wall_us() / 1000, now);
#define BACKEND_JSON(name, gauge, text)                                        \
	json_object_set_new(backends, #name,                                   \
			    backend_json(tally_value(&sum, #gauge), n));
	BACKEND_ROWS(BACKEND_JSON)
#undef BACKEND_JSON
	page = json_pack(
		"{s:I, s:I, s:I, s:s, s:I, s:s, s:s, s:s, s:o, s:o, s:o}",
		"connectedSockets", (json_int_t)tally_value(&sum, "sockets"),
		"onlineUsers", (json_int_t)status_online(&sum),
		"rooms", (json_int_t)status_rooms(&sum),
		"timestamp", now,
		"uptime", (json_int_t)((clock_mono_ms() - s->started_ms) / 1000),
		"version", PACKAGE_VERSION,
		"node", s->conf->node,
		"state", master_state(sup),
		"backends", backends,
		"workers", slots_json(sup),
		"totals", totals_json(&sum));
	tally_free(&sum);
	return page;
}

static void look_at(struct status *s, const struct supervisor *sup,
		    unsigned slot, struct metrics_worker *out)
{
	struct proc_stat proc;
	struct slot_view v;

	supervisor_slot(sup, slot, &v);
	*out = (struct metrics_worker){
		.up = v.worker != NULL && v.worker->state == INSTANCE_READY,
		.restarts = v.restarts,
		.cpu_us = s->ended[slot].cpu_us,
		.rss_bytes = -1,
		.heartbeat_age_ms = heartbeat_age_ms(v.worker),
	};
	slot_tally(s, slot, v.worker, &out->tally);
	if (v.worker == NULL)
		return;
	if (proc_stat_read(v.worker->pid, &proc) == 0) {
		v.worker->cpu_us = proc.cpu_us;
		out->rss_bytes = proc.rss_bytes;
	}
	out->cpu_us += v.worker->cpu_us;
}

void status_metrics(struct status *s, const struct supervisor *sup,
		    struct buf *out)
{
	struct metrics_worker *w = mem_zalloc(s->slots * sizeof(*w));
	struct metrics_master m = { .version = PACKAGE_VERSION,
				    .node = s->conf->node,
				    .started_us = s->started_us };
	struct proc_stat proc;

	if (proc_stat_read(getpid(), &proc) == 0) {
		m.cpu_us = proc.cpu_us;
		m.rss_bytes = proc.rss_bytes;
	}
	for (unsigned i = 0; i < s->slots; i++)
		look_at(s, sup, i, &w[i]);
	metrics_write(&m, w, s->slots, out);
	for (unsigned i = 0; i < s->slots; i++)
		tally_free(&w[i].tally);
	free(w);
}

static void backends_not_ready(unsigned slot, struct instance *w,
			       struct buf *out)
{
	const struct stats_view *v = instance_stats(w);

#define BACKEND_LINE(name, gauge, text)                                        \
	if (v == NULL || stats_view_value(v, #gauge, 0) == 0)                  \
		buf_printf(out, "worker=%u backend=" #name " state=down\n", slot);
	BACKEND_ROWS(BACKEND_LINE)
#undef BACKEND_LINE
}

void status_not_ready(const struct supervisor *sup, struct buf *out)
{
	if (supervisor_stopping(sup))
		buf_adds(out, "master=stopping\n");
	for (unsigned i = 0; i < supervisor_slots(sup); i++) {
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		if (v.worker != NULL && v.worker->state == INSTANCE_READY)
			backends_not_ready(i, v.worker, out);
		else
			buf_printf(out, "worker=%u state=%s\n", i,
				   state_name(v.worker));
	}
}
