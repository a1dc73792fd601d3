/* The supervisor over an exec:
 *   {"boot", "ready": all were once, "logs": [{"level", "area"}],
 *    "dead": [instance], not reported yet,
 *    "slots": [{"restarts", "young_deaths", "down_ms", "lent_to", "lent_ms",
 *               "worker": null or a worker}],
 *    "draining": [workers]}
 * A worker: {"instance", "slot", "pid", "state", "ipc_fd", "stats_fd",
 *  "conf_fd" and "handover_fd", or none, "started_ms", "ready_ms", "cpu_us", "drain_ms", "grace_ms", "limit_ms",
 *  "owed": [names]}.
 * Times are monotonic: the clock does not stop. Members that are not known are
 * ignored, so that a version to come may add some. */
#include "master/workers/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/protocol/ids.h"
#include "master/workers/slot.h"

/* --- out --- */

static json_t *worker_json(const struct instance *i)
{
	json_t *owed = json_array();
	const char *name;
	unsigned what;
	json_t *o;

	for (size_t n = 0; (name = dues_name(n, &what)) != NULL; n++)
		if ((i->owed & what) != 0)
			json_array_append_new(owed, json_string(name));
	o = json_pack("{s:I, s:i, s:I, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:o}",
			 "instance", (json_int_t)i->id,
			 "slot", (int)i->slot,
			 "pid", (json_int_t)i->pid,
			 "state", instance_state_name(i),
			 "ipc_fd", i->ipc,
			 "stats_fd", i->stats_fd,
			 "started_ms", (json_int_t)i->started_ms,
			 "ready_ms", (json_int_t)i->ready_ms,
			 "cpu_us", (json_int_t)i->cpu_us,
			 "drain_ms", (json_int_t)i->drain_ms,
			 "grace_ms", (json_int_t)i->grace_ms,
			 "limit_ms", (json_int_t)i->limit_ms,
			 "owed", owed);
	if (i->conf_fd != -1)
		json_object_set_new(o, "conf_fd", json_integer(i->conf_fd));
	if (i->handover_fd != -1)
		json_object_set_new(o, "handover_fd",
				    json_integer(i->handover_fd));
	return o;
}

static json_t *slot_json(const struct slot *slot)
{
	return json_pack("{s:i, s:i, s:I, s:I, s:I, s:o}",
			 "restarts", (int)slot->restarts,
			 "young_deaths", (int)slot->young_deaths,
			 "down_ms", (json_int_t)slot->down_ms,
			 "lent_to", (json_int_t)slot->lent_to,
			 "lent_ms", (json_int_t)slot->lent_ms,
			 "worker", slot->worker != NULL ?
				worker_json(slot->worker) : json_null());
}

static bool busy(const struct supervisor *s)
{
	bool any = s->stopping;

	for (unsigned i = 0; i < s->n; i++)
		any = any || s->slots[i].replacement.done != NULL;
	return any;
}

json_t *supervisor_save(const struct supervisor *s)
{
	json_t *slots, *draining, *logs, *dead;

	if (busy(s))
		return NULL;
	slots = json_array();
	draining = json_array();
	logs = json_array();
	dead = json_array();
	for (unsigned i = 0; i < s->n; i++)
		json_array_append_new(slots, slot_json(&s->slots[i]));
	for (unsigned i = 0; i < s->ndraining; i++)
		json_array_append_new(draining, worker_json(s->draining[i]));
	for (size_t n = 0; n < s->nlogs; n++)
		json_array_append_new(logs, json_pack("{s:i, s:s}",
			"level", s->logs[n].level, "area", s->logs[n].area));
	for (size_t n = 0; n < s->ndead; n++)
		json_array_append_new(dead, json_integer(s->dead[n]));
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o}",
			 "boot", s->host.boot, "ready", (int)s->was_ready,
			 "logs", logs, "dead", dead, "slots", slots,
			 "draining", draining);
}

/* --- back --- */

struct saved_slot {
	struct slot values;	/* its numbers */
	struct instance worker;
	bool has_worker;
};

/* Borrows its texts from the JSON. */
struct saved {
	const char *boot;
	bool ready;
	const json_t *logs;
	const json_t *dead;
	struct saved_slot *slots;
	struct instance *draining;
	size_t ndraining;
};

static bool read_state(const char *name, enum instance_state *out)
{
	for (int k = INSTANCE_STARTING; k <= INSTANCE_KILLED; k++) {
		struct instance i = { .state = (enum instance_state)k };

		if (strcmp(name, instance_state_name(&i)) == 0) {
			*out = i.state;
			return true;
		}
	}
	return false;
}

static bool read_worker(const json_t *o, size_t slots, struct instance *out)
{
	json_int_t id, slot, pid, ipc, stats, started, ready, cpu, drain, grace,
		limit, conf = -1, handover = -1;
	const json_t *owed, *name;
	const char *state;
	size_t k;

	if (json_unpack((json_t *)(uintptr_t)o,
			"{s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
			"s:I, s:o, s?I, s?I}",
			"instance", &id, "slot", &slot, "pid", &pid,
			"state", &state, "ipc_fd", &ipc, "stats_fd", &stats,
			"started_ms", &started, "ready_ms", &ready,
			"cpu_us", &cpu, "drain_ms", &drain, "grace_ms", &grace,
			"limit_ms", &limit, "owed", &owed, "conf_fd", &conf,
			"handover_fd", &handover) != 0)
		return false;
	if (id < 1 || id > INSTANCE_MAX || slot < 0 ||
	    (size_t)slot >= slots || pid < 2 || pid > INT32_MAX || ipc < 0 ||
	    ipc > INT32_MAX || stats < 0 || stats > INT32_MAX ||
	    conf < -1 || conf > INT32_MAX || handover < -1 ||
	    handover > INT32_MAX ||
	    !json_is_array(owed))
		return false;
	*out = (struct instance){
		.id = (uint32_t)id, .slot = (unsigned)slot, .pid = (pid_t)pid,
		.ipc = (int)ipc, .stats_fd = (int)stats,
		.conf_fd = (int)conf, .handover_fd = (int)handover,
		.started_ms = started,
		.ready_ms = ready, .cpu_us = cpu, .drain_ms = drain,
		.grace_ms = grace, .limit_ms = limit };
	json_array_foreach(owed, k, name)
		if (json_is_string(name))
			out->owed |= dues_named(json_string_value(name));
	return read_state(state, &out->state);
}

static bool read_slot(const json_t *o, size_t index, size_t slots,
		      struct saved_slot *out)
{
	json_int_t restarts, young, down, lent_to, lent;
	const json_t *worker;

	if (json_unpack((json_t *)(uintptr_t)o, "{s:I, s:I, s:I, s:I, s:I, s:o}",
			"restarts", &restarts, "young_deaths", &young,
			"down_ms", &down, "lent_to", &lent_to, "lent_ms", &lent,
			"worker", &worker) != 0)
		return false;
	if (restarts < 0 || restarts > INT32_MAX || young < 0 ||
	    young > INT32_MAX || lent_to < 0 || lent_to > INSTANCE_MAX)
		return false;
	out->values = (struct slot){
		.restarts = (unsigned)restarts, .young_deaths = (unsigned)young,
		.down_ms = down, .lent_to = (uint32_t)lent_to, .lent_ms = lent };
	out->has_worker = !json_is_null(worker);
	return !out->has_worker || (read_worker(worker, slots, &out->worker) &&
				    out->worker.slot == index);
}

/* They are told to workers, so they are looked at now. */
static bool lists_good(const struct saved *s)
{
	const json_t *o;
	size_t k;

	json_array_foreach(s->logs, k, o)
		if (!json_is_integer(json_object_get(o, "level")) ||
		    !json_is_string(json_object_get(o, "area")))
			return false;
	json_array_foreach(s->dead, k, o)
		if (!json_is_integer(o))
			return false;
	return json_is_array(s->logs) && json_is_array(s->dead);
}

static void saved_free(struct saved *s)
{
	free(s->slots);
	free(s->draining);
}

/* False: s is empty. */
static bool saved_read(const json_t *root, unsigned workers, struct saved *s)
{
	const json_t *slots, *draining, *o;
	bool good;
	int ready;
	size_t k;

	*s = (struct saved){ 0 };
	if (json_unpack((json_t *)(uintptr_t)root, "{s:s, s:b, s:o, s:o, s:o, s:o}",
			"boot", &s->boot, "ready", &ready, "logs", &s->logs,
			"dead", &s->dead, "slots", &slots,
			"draining", &draining) != 0)
		return false;
	good = lists_good(s) && strlen(s->boot) == 16 && workers > 0 &&
	       json_array_size(slots) == workers && json_is_array(draining);
	if (!good)
		return false;
	s->ready = ready != 0;
	s->ndraining = json_array_size(draining);
	s->slots = mem_zalloc(workers * sizeof(*s->slots));
	s->draining = mem_zalloc((s->ndraining + 1) * sizeof(*s->draining));
	json_array_foreach(slots, k, o)
		good = good && read_slot(o, k, workers, &s->slots[k]);
	json_array_foreach(draining, k, o)
		good = good && read_worker(o, workers, &s->draining[k]);
	if (!good)
		saved_free(s);
	return good;
}

int supervisor_readable(const json_t *root, unsigned workers)
{
	struct saved saved;

	if (!saved_read(root, workers, &saved))
		return -EINVAL;
	saved_free(&saved);
	return 0;
}

static int take_workers(struct supervisor *s, const struct saved *from)
{
	int rc = 0;

	for (unsigned k = 0; rc == 0 && k < s->n; k++) {
		const struct saved_slot *was = &from->slots[k];
		struct slot *slot = &s->slots[k];

		slot->restarts = was->values.restarts;
		slot->young_deaths = was->values.young_deaths;
		slot->down_ms = was->values.down_ms;
		slot->lent_to = was->values.lent_to;
		slot->lent_ms = was->values.lent_ms;
		if (was->has_worker)
			rc = instance_adopt(&s->host, &was->worker, &slot->worker);
	}
	s->draining = mem_zalloc((from->ndraining + 1) * sizeof(struct instance *));
	for (size_t k = 0; rc == 0 && k < from->ndraining; k++) {
		rc = instance_adopt(&s->host, &from->draining[k],
				    &s->draining[k]);
		s->ndraining += rc == 0;
	}
	return rc;
}

static void take_lists(struct supervisor *s, const struct saved *from)
{
	const json_t *o;
	size_t k;

	s->dead = mem_zalloc((json_array_size(from->dead) + 1) * sizeof(*s->dead));
	json_array_foreach(from->dead, k, o)
		s->dead[s->ndead++] = (uint32_t)json_integer_value(o);
	s->logs = mem_zalloc((json_array_size(from->logs) + 1) * sizeof(*s->logs));
	json_array_foreach(from->logs, k, o)
		s->logs[s->nlogs++] = (struct log_order){
			(int)json_integer_value(json_object_get(o, "level")),
			mem_strdup(json_string_value(json_object_get(o, "area")))
		};
}

/* Their descriptors are closed, by which they end. */
static void drop(struct supervisor **s)
{
	struct instance **place;

	EACH_PLACE(place, *s, k)
		if (*place != NULL)
			instance_free(place);
	supervisor_discard(s);
}

int supervisor_adopt(struct loop *l, const struct conf *conf,
		     const struct listeners *listeners, unsigned workers,
		     const char *worker_path, const struct supervisor_events *ev,
		     const json_t *root, struct supervisor **out)
{
	struct supervisor *s;
	struct saved saved;
	int rc;

	if (!saved_read(root, workers, &saved))
		return -EINVAL;
	s = supervisor_make(l, conf, listeners, workers, worker_path, ev);
	memcpy(s->host.boot, saved.boot, strlen(saved.boot) + 1);
	s->was_ready = saved.ready;
	take_lists(s, &saved);
	rc = take_workers(s, &saved);
	saved_free(&saved);
	if (rc == 0)
		rc = supervisor_open(s);
	if (rc != 0) {
		drop(&s);
		return rc;
	}
	for (unsigned k = 0; k < s->n; k++)
		if (s->slots[k].worker == NULL)
			worker_restart_later(&s->slots[k]);
	/* Who died while nobody looked is found as ever. */
	raise(SIGCHLD);
	*out = s;
	return 0;
}
