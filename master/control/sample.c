#include "config.h"

#include "master/control/sample.h"

#include "common/base/clock.h"
#include "common/ipc/backend_rows.h"
#include "common/ipc/stats.h"
#include "common/service/proc_stat.h"
#include "master/status/status.h"
#include "master/workers/supervisor.h"
#include "master/status/tally.h"

static bool is_sampled(const char *name)
{
	static const char *const names[] = {
		"connections", "sessions_polling", "users", "messages_accepted",
		"messages_emitted", "store_us", "confirm_us",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Percentiles are read between two bounds: four in each power of two, where
 * Prometheus has one, so that they are within a few percent. */
#define BOUNDS 69
static void bounds(int64_t out_us[BOUNDS])
{
	for (int i = 0; i < BOUNDS; i++)
		out_us[i] = (int64_t)(4 + i % 4) << (i / 4 + 5);
}

static json_t *cut_json(const struct stats_view *v, const char *name)
{
	int64_t bounds_us[BOUNDS];
	uint64_t below[BOUNDS] = { 0 }, count = 0;
	json_t *cut = json_array();

	bounds(bounds_us);
	(void)!stats_view_cut(v, name, bounds_us, BOUNDS, below, &count);
	json_array_append_new(cut, json_integer((json_int_t)count));
	for (size_t i = 0; i < BOUNDS; i++)
		json_array_append_new(cut, json_integer((json_int_t)below[i]));
	return cut;
}

static int64_t left_ms(const struct instance *w)
{
	int64_t left = w->drain_ms + w->grace_ms - clock_mono_ms();

	return left > 0 ? left : 0;
}

static json_t *worker_json(struct instance *w)
{
	const struct stats_view *v = instance_stats(w);
	struct proc_stat proc;
	struct stats_item it;
	json_t *o = json_pack("{s:i, s:I, s:i, s:s, s:I}",
			      "slot", (int)w->slot,
			      "instance", (json_int_t)w->id,
			      "pid", (int)w->pid,
			      "state", instance_state_name(w), "uptime_ms",
			      (json_int_t)(clock_mono_ms() - w->started_ms));

	if (w->drain_ms != 0)
		json_object_set_new(o, "left_ms", json_integer(left_ms(w)));
	if (proc_stat_read(w->pid, &proc) == 0) {
		json_object_set_new(o, "cpu_us", json_integer(proc.cpu_us));
		json_object_set_new(o, "rss", json_integer(proc.rss_bytes));
	}
	for (size_t n = 0; v != NULL && stats_view_item(v, n, &it); n++)
		if (is_sampled(it.name))
			json_object_set_new(o, it.name, it.kind == 'h' ?
					    cut_json(v, it.name) :
					    json_integer(it.value));
	return o;
}

static json_t *workers_json(const struct supervisor *sup)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < supervisor_slots(sup); i++) {
		struct slot_view v;

		supervisor_slot(sup, i, &v);
		json_array_append_new(all, v.worker != NULL ?
			worker_json(v.worker) :
			json_pack("{s:i, s:s}", "slot", (int)i, "state",
				  instance_state_name(NULL)));
		if (v.successor != NULL)
			json_array_append_new(all, worker_json(v.successor));
	}
	for (unsigned i = 0; i < supervisor_draining(sup); i++)
		json_array_append_new(all,
				      worker_json(supervisor_drainer(sup, i)));
	return all;
}

static json_t *backends_json(const struct supervisor *sup, const char *name,
			     const char *gauge)
{
	return json_pack("{s:s, s:i, s:i}", "name", name, "workers",
			 (int)supervisor_ready(sup), "up",
			 (int)status_reaching(sup, gauge));
}

static json_t *bounds_json(void)
{
	int64_t bounds_us[BOUNDS];
	json_t *all = json_array();

	bounds(bounds_us);
	for (size_t i = 0; i < BOUNDS; i++)
		json_array_append_new(all, json_integer(bounds_us[i]));
	return all;
}

json_t *sample_json(struct status *s, const struct supervisor *sup)
{
	json_t *backends = json_array();
	struct tally sum = { 0 };
	int64_t online;

	status_totals(s, sup, &sum);
	online = status_online(&sum);
	tally_free(&sum);
#define BACKEND_JSON(name, gauge, text)                                        \
	json_array_append_new(backends, backends_json(sup, #name, #gauge));
	BACKEND_ROWS(BACKEND_JSON)
#undef BACKEND_JSON
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:I, s:o, s:o, s:o}",
			 "version", PACKAGE_VERSION,
			 "node", status_node(s),
			 "state", status_master_state(sup),
			 "uptime_ms", (json_int_t)status_uptime_ms(s),
			 "mono_us", (json_int_t)clock_mono_us(),
			 "slots", (int)supervisor_slots(sup),
			 "ready", (int)supervisor_ready(sup),
			 "online", (json_int_t)online,
			 "backends", backends,
			 "bounds_us", bounds_json(),
			 "workers", workers_json(sup));
}
