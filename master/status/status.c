#include "config.h"

#include "master/status/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/ipc/stats.h"
#include "common/service/listener.h"
#include "common/service/proc_stat.h"
#include "common/ipc/backend_rows.h"
#include "master/members.h"
#include "master/status/metrics.h"
#include "master/status/processes.h"
#include "master/workers/supervisor.h"

/* Of a slot's dead workers. */
struct ended {
	struct tally tally;
	int64_t cpu_us;
};

struct status {
	const char *node;
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

	s->node = conf->node;
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

	tally_add_page(&e->tally, instance_stats(i), TALLY_COUNTS);
	e->cpu_us += i->cpu_us;
}

json_t *status_save(const struct status *s)
{
	json_t *slots = json_array();

	for (unsigned i = 0; i < s->slots; i++)
		json_array_append_new(slots, json_pack(
			"{s:I, s:o}", "cpu_us", (json_int_t)s->ended[i].cpu_us,
			"counts", tally_save(&s->ended[i].tally)));
	return json_pack("{s:I, s:I, s:o}",
			 "started_ms", (json_int_t)s->started_ms,
			 "started_us", (json_int_t)s->started_us,
			 "slots", slots);
}

void status_load(struct status *s, const struct members *m)
{
	struct members saved = { members_object(m, "status"), "status", m->err };
	const json_t *slots = members_array(&saved, "slots");
	char where[40];

	/* The monotonic clock is the machine's: it goes on over exec. */
	s->started_ms = members_int(&saved, "started_ms", INT64_MIN, INT64_MAX);
	s->started_us = members_int(&saved, "started_us", 0, INT64_MAX);
	if (json_array_size(slots) != s->slots)
		members_wrong(&saved, "slots", "not as many as there are listeners");
	for (unsigned i = 0; i < s->slots && *m->err == '\0'; i++) {
		struct members one = { json_array_get(slots, i), where, m->err };

		snprintf(where, sizeof(where), "status.slots[%u]", i);
		s->ended[i].cpu_us = members_int(&one, "cpu_us", 0, INT64_MAX);
		tally_load(&s->ended[i].tally, &one, "counts");
	}
}

static struct instance *drainer_of(const struct supervisor *sup, unsigned slot,
				   unsigned n)
{
	struct instance *i = supervisor_drainer(sup, n);

	return i->slot == slot ? i : NULL;
}

/* Of the worker in a slot and those before it. */
static void slot_tally(struct status *s, const struct supervisor *sup,
		       unsigned slot, struct tally *out)
{
	struct slot_view v;

	supervisor_slot(sup, slot, &v);
	if (v.worker != NULL)
		tally_add_page(out, instance_stats(v.worker),
			       v.worker->state == INSTANCE_READY ? TALLY_ALL :
								   TALLY_LOAD);
	for (unsigned n = 0; n < supervisor_draining(sup); n++) {
		struct instance *i = drainer_of(sup, slot, n);

		if (i != NULL)
			tally_add_page(out, instance_stats(i), TALLY_LOAD);
	}
	tally_add(out, &s->ended[slot].tally);
}

void status_totals(struct status *s, const struct supervisor *sup,
		   struct tally *out)
{
	for (unsigned i = 0; i < s->slots; i++)
		slot_tally(s, sup, i, out);
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

const char *status_master_state(const struct supervisor *sup)
{
	if (supervisor_stopping(sup))
		return "stopping";
	if (supervisor_ready(sup) == supervisor_slots(sup))
		return "ready";
	return supervisor_started(sup) ? "degraded" : "starting";
}

const char *status_node(const struct status *s)
{
	return s->node;
}

int64_t status_uptime_ms(const struct status *s)
{
	return clock_mono_ms() - s->started_ms;
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
		"s:o, s:o}",
		"version", PACKAGE_VERSION,
		"node", s->node,
		"host", listeners_host(s->listeners),
		"port", (int)listeners_port(s->listeners),
		"admin", s->admin,
		"pid", (int)getpid(),
		"boot", supervisor_boot(sup),
		"state", status_master_state(sup),
		"uptime_ms", (json_int_t)(clock_mono_ms() - s->started_ms),
		"workers", (int)supervisor_slots(sup),
		"ready", (int)supervisor_ready(sup),
		"slots", processes_slots(sup),
		"draining", processes_draining(sup),
		"totals", totals);
}

unsigned status_reaching(const struct supervisor *sup, const char *gauge)
{
	unsigned up = 0;

	for (unsigned i = 0; i < supervisor_slots(sup); i++) {
		const struct stats_view *page;
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		if (v.worker == NULL || v.worker->state != INSTANCE_READY)
			continue;
		page = instance_stats(v.worker);
		up += page != NULL && stats_view_value(page, gauge, 0) > 0;
	}
	return up;
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
			    backend_json(status_reaching(sup, #gauge), n));
	BACKEND_ROWS(BACKEND_JSON)
#undef BACKEND_JSON
	page = json_pack(
		"{s:I, s:I, s:I, s:s, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o}",
		"connectedSockets", (json_int_t)tally_value(&sum, "sockets"),
		"onlineUsers", (json_int_t)status_online(&sum),
		"rooms", (json_int_t)status_rooms(&sum),
		"timestamp", now,
		"uptime", (json_int_t)((clock_mono_ms() - s->started_ms) / 1000),
		"version", PACKAGE_VERSION,
		"node", s->node,
		"state", status_master_state(sup),
		"backends", backends,
		"workers", processes_slots(sup),
		"draining", processes_draining(sup),
		"totals", totals_json(&sum));
	tally_free(&sum);
	return page;
}

static void look_at_process(struct instance *i, struct metrics_worker *out)
{
	struct proc_stat proc;

	if (proc_stat_read(i->pid, &proc) == 0) {
		i->cpu_us = proc.cpu_us;
		if (out->rss_bytes == -1)
			out->rss_bytes = 0;
		out->rss_bytes += proc.rss_bytes;
	}
	out->cpu_us += i->cpu_us;
}

static void look_at(struct status *s, const struct supervisor *sup,
		    unsigned slot, struct metrics_worker *out)
{
	struct slot_view v;

	supervisor_slot(sup, slot, &v);
	*out = (struct metrics_worker){
		.up = v.worker != NULL && v.worker->state == INSTANCE_READY,
		.restarts = v.restarts,
		.cpu_us = s->ended[slot].cpu_us,
		.rss_bytes = -1,
		.heartbeat_age_ms = processes_heartbeat_age_ms(v.worker),
	};
	slot_tally(s, sup, slot, &out->tally);
	if (v.worker != NULL)
		look_at_process(v.worker, out);
	for (unsigned n = 0; n < supervisor_draining(sup); n++) {
		struct instance *i = drainer_of(sup, slot, n);

		if (i == NULL)
			continue;
		look_at_process(i, out);
		out->draining++;
	}
}

void status_metrics(struct status *s, const struct supervisor *sup,
		    struct buf *out)
{
	struct metrics_worker *w = mem_zalloc(s->slots * sizeof(*w));
	struct expo_process m = { .who = "the master",
				  .version = PACKAGE_VERSION,
				  .node = s->node,
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
				   instance_state_name(v.worker));
	}
}
