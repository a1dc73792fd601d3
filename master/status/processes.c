#include "master/status/processes.h"

#include "common/base/clock.h"
#include "common/ipc/stats.h"
#include "common/service/proc_stat.h"
#include "master/workers/supervisor.h"

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

static json_t *number_or_null(bool known, int64_t v)
{
	return known ? json_integer(v) : json_null();
}

int64_t processes_heartbeat_age_ms(struct instance *i)
{
	const struct stats_view *v = i != NULL ? instance_stats(i) : NULL;
	int64_t beat = v != NULL ? stats_view_value(v, "heartbeat_ms", 0) : 0;

	return beat != 0 ? clock_mono_ms() - beat : -1;
}

static int64_t left_ms(const struct instance *i)
{
	int64_t left = i->drain_ms + i->grace_ms - clock_mono_ms();

	return left > 0 ? left : 0;
}

static json_t *successor_json(const struct instance *i)
{
	if (i == NULL)
		return json_null();
	return json_pack("{s:I, s:I, s:s, s:I}", "instance", (json_int_t)i->id,
			 "pid", (json_int_t)i->pid,
			 "state", instance_state_name(i), "uptime_ms",
			 (json_int_t)(clock_mono_ms() - i->started_ms));
}

static json_t *slot_json(unsigned slot, const struct slot_view *view)
{
	struct instance *w = view->worker;
	int64_t up = w != NULL ? clock_mono_ms() - w->started_ms : 0;
	int64_t age = processes_heartbeat_age_ms(w);

	return json_pack(
		"{s:i, s:o, s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:o}",
		"slot", (int)slot,
		"instance", number_or_null(w != NULL, w != NULL ? w->id : 0),
		"pid", number_or_null(w != NULL, w != NULL ? w->pid : 0),
		"state", instance_state_name(w),
		"restarts", (int)view->restarts,
		"uptime_ms", number_or_null(w != NULL, up),
		"heartbeat_age_ms", number_or_null(age != -1, age),
		"lent_to", number_or_null(view->lent_to != 0, view->lent_to),
		"successor", successor_json(view->successor),
		"stats", stats_json(w != NULL ? instance_stats(w) : NULL));
}

json_t *processes_slots(const struct supervisor *sup)
{
	json_t *slots = json_array();

	for (unsigned i = 0; i < supervisor_slots(sup); i++) {
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		json_array_append_new(slots, slot_json(i, &v));
	}
	return slots;
}

json_t *processes_draining(const struct supervisor *sup)
{
	json_t *list = json_array();

	for (unsigned n = 0; n < supervisor_draining(sup); n++) {
		struct instance *i = supervisor_drainer(sup, n);

		json_array_append_new(list, json_pack(
			"{s:i, s:I, s:I, s:s, s:I, s:I, s:I, s:o}",
			"slot", (int)i->slot, "instance", (json_int_t)i->id,
			"pid", (json_int_t)i->pid,
			"state", instance_state_name(i), "uptime_ms",
			(json_int_t)(clock_mono_ms() - i->started_ms),
			"since_ms",
			(json_int_t)(clock_mono_ms() - i->drain_ms),
			"left_ms", (json_int_t)left_ms(i),
			"stats", stats_json(instance_stats(i))));
	}
	return list;
}

static json_t *value_or_null(const struct stats_view *v, const char *name)
{
	return v != NULL ? json_integer(stats_view_value(v, name, 0)) :
			   json_null();
}

static json_t *process_json(unsigned slot, struct instance *i)
{
	const struct stats_view *v = i != NULL ? instance_stats(i) : NULL;
	bool drains = i != NULL && i->drain_ms != 0;
	struct proc_stat proc;
	bool seen = i != NULL && proc_stat_read(i->pid, &proc) == 0;

	return json_pack(
		"{s:i, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}",
		"slot", (int)slot,
		"instance", number_or_null(i != NULL, i != NULL ? i->id : 0),
		"pid", number_or_null(i != NULL, i != NULL ? i->pid : 0),
		"state", instance_state_name(i),
		"uptime_ms", number_or_null(i != NULL, i != NULL ?
					clock_mono_ms() - i->started_ms : 0),
		"left_ms", number_or_null(drains, drains ? left_ms(i) : 0),
		"connections", value_or_null(v, "connections"),
		"users", value_or_null(v, "users"),
		"cpu_us", number_or_null(seen, seen ? proc.cpu_us : 0),
		"rss_bytes", number_or_null(seen, seen ? proc.rss_bytes : 0));
}

json_t *processes_json(const struct supervisor *sup)
{
	json_t *list = json_array();

	for (unsigned slot = 0; slot < supervisor_slots(sup); slot++) {
		struct slot_view v;

		supervisor_slot(sup, slot, &v);
		json_array_append_new(list, process_json(slot, v.worker));
		if (v.successor != NULL)
			json_array_append_new(list, process_json(slot,
								 v.successor));
		for (unsigned n = 0; n < supervisor_draining(sup); n++) {
			struct instance *i = supervisor_drainer(sup, n);

			if (i->slot == slot)
				json_array_append_new(list,
						      process_json(slot, i));
		}
	}
	return json_pack("{s:o}", "workers", list);
}
