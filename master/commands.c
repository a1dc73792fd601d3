/* What each command of the control socket does. */
#include "common/ipc/ctl_rows.h"
#include "master/control/commands_check.h"
#include "master/control/commands_conf.h"
#include "master/control/commands_user.h"
#include "master/control/commands_workers.h"
#include "master/status/explain.h"
#include "master/master.h"
#include "master/control/query.h"
#include "master/control/sample.h"
#include "master/status/status.h"
#include "master/upgrade/upgrade.h"
#include "master/workers/supervisor.h"

static void do_status(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;
	json_t *status = status_json(m->status, m->sup);

	(void)args;
	json_object_set_new(status, "upgrade", upgrade_json(m->upgrade));
	json_object_set_new(status, "waiting", supervisor_waiting(m->sup));
	control_answer(r, status);
}

static void do_upgrade(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	(void)args;
	upgrade_start(m->upgrade, &r);
}

static void do_top(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;
	json_t *sample = sample_json(m->status, m->sup);

	(void)args;
	json_object_set_new(sample, "upgrade", upgrade_json(m->upgrade));
	control_answer(r, sample);
}

/* The rest of the cluster has recorders, too; nobody here can read them. */
static void explain_others(void *arg, const struct query_answers *a)
{
	const json_t *hosts = json_object_get(query_only(a), "hosts");
	const json_t *why = json_object_get(query_only(a), "unknown");

	(void)arg;
	if (hosts != NULL)
		json_object_set_new(a->keep, "other_hosts",
				    json_deep_copy(hosts));
	else
		json_object_set_new(a->keep, "hosts_unknown",
				    why != NULL ? json_deep_copy(why) :
				    json_string(query_silence(a)));
	control_answer(a->request, json_incref(a->keep));
}

static void do_explain(void *arg, struct control_request r, const json_t *args)
{
	const char *id = json_string_value(json_array_get(args, 0));
	struct master *m = arg;
	struct question q = { .cmd = "hosts", .done = explain_others };

	if (!explain_is_id(id)) {
		control_refuse(r, "that is no message's id: they have 24 "
			       "hexadecimal digits");
		return;
	}
	q.keep = explain_json(m->explain, m->sup, id);
	queries_one(m->queries, r, &q);
}

const struct control_command master_commands[] = {
#define COMMAND(name, words, min, max, who, help) \
	{ #name, words, min, max, CTL_##who, do_##name },
	CTL_ROWS(COMMAND)
#undef COMMAND
};

const size_t master_commands_n = ARRAY_SIZE(master_commands);
