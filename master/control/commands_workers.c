#include "master/control/commands_workers.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "master/master.h"
#include "master/status/processes.h"
#include "master/workers/supervisor.h"
#include "master/upgrade/upgrade.h"

void do_workers(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	(void)args;
	control_answer(r, processes_json(m->sup));
}

struct replace_request {
	const struct supervisor *sup;
	struct control_request request;
	int64_t grace_ms;
	uint32_t before;	/* 0: the slot had no worker */
};

static json_t *drainer_or_null(const struct supervisor *sup, uint32_t id)
{
	for (unsigned n = 0; n < supervisor_draining(sup); n++)
		if (supervisor_drainer(sup, n)->id == id)
			return json_integer(id);
	return json_null();
}

static void on_replaced(void *arg, unsigned slot, const char *error)
{
	struct replace_request *q = arg;
	struct slot_view v;

	supervisor_slot(q->sup, slot, &v);
	if (error != NULL)
		control_refuse(q->request, "slot %u: %s", slot, error);
	else
		control_answer(q->request, json_pack(
			"{s:i, s:I, s:o, s:I}", "slot", (int)slot,
			"instance", (json_int_t)v.worker->id,
			"draining", drainer_or_null(q->sup, q->before),
			"grace_ms", (json_int_t)q->grace_ms));
	free(q);
}

static bool slot_number(const json_t *args, unsigned slots, unsigned *out)
{
	const char *text = json_string_value(json_array_get(args, 0));
	size_t n = strlen(text);

	if (n == 0 || n > 4 || strspn(text, "0123456789") != n)
		return false;
	*out = (unsigned)atoi(text);
	return *out < slots;
}

static void replace(struct master *m, struct control_request r,
		    const json_t *args, int64_t grace_ms)
{
	unsigned slots = supervisor_slots(m->sup), slot;
	struct replace_request *q;
	struct slot_view v;
	int rc;

	if (!slot_number(args, slots, &slot)) {
		control_refuse(r, "that is no slot: they are 0 to %u", slots - 1);
		return;
	}
	if (upgrade_running(m->upgrade)) {
		control_refuse(r, "an upgrade is running");
		return;
	}
	supervisor_slot(m->sup, slot, &v);
	q = mem_alloc(sizeof(*q));
	*q = (struct replace_request){
		.sup = m->sup, .request = r, .grace_ms = grace_ms,
		.before = v.worker != NULL ? v.worker->id : 0 };
	rc = supervisor_replace(m->sup, slot, grace_ms, on_replaced, q);
	if (rc == 0)
		return;
	free(q);
	if (rc == -EBUSY)
		control_refuse(r, "slot %u: its worker is being replaced already",
			       slot);
	else if (rc == -ESHUTDOWN)
		control_refuse(r, "the master was told to stop");
	else
		control_refuse(r, "slot %u: no worker can be started: %s; see the "
			       "log", slot, strerror(-rc));
}

void do_drain(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	replace(m, r, args, m->conf->drain_timeout);
}

void do_restart(void *arg, struct control_request r, const json_t *args)
{
	replace(arg, r, args, 0);
}
