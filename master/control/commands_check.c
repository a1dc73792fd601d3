#include "master/control/commands_check.h"

#include <stdio.h>

#include "common/conf/conf_show.h"
#include "master/control/limits.h"
#include "master/master.h"
#include "master/control/query.h"
#include "master/workers/supervisor.h"

/* A worker gives its backends less (worker/check.c), pairwirectl gives us more. */
#define DEADLINE_MS 9000

static json_t *workers_row(const struct master *m)
{
	unsigned ready = supervisor_ready(m->sup);
	unsigned all = supervisor_slots(m->sup);
	char text[64];

	snprintf(text, sizeof(text), "%u of %u serve", ready, all);
	return json_pack("{s:s, s:b, s:s, s:s}", "name", "pairwire", "ok",
			 (int)(ready == all), "text", text, "todo",
			 ready == all ? "" : "see the log of the one missing");
}

static json_t *key_row(const struct master *m)
{
	struct buf text = { 0 }, todo = { 0 };
	json_t *row;

	conf_token_key(m->conf, &text, &todo);
	row = json_pack("{s:s, s:b, s:s, s:s}", "name", "token key", "ok",
			(int)(todo.len == 0), "text", buf_str(&text), "todo",
			todo.len > 0 ? buf_str(&todo) : "");
	buf_free(&text);
	buf_free(&todo);
	return row;
}

static void answered(void *arg, const struct query_answers *a)
{
	const json_t *rows = json_object_get(query_only(a), "checks");
	struct master *m = arg;
	json_t *all = json_array(), *limits, *one;
	struct limits l;
	bool ok = true;
	size_t i;

	json_array_append_new(all, workers_row(m));
	if (rows != NULL)
		json_array_extend(all, (json_t *)rows);
	else
		json_array_append_new(
			all, json_pack("{s:s, s:b, s:s, s:s}", "name",
				       "backends", "ok", 0, "text",
				       query_silence(a), "todo",
				       "see the workers' log"));
	json_array_append_new(all, key_row(m));
	limits_read(m->conf, m->call->conf_path, supervisor_slots(m->sup), &l);
	limits = limits_judge(&l);
	json_array_extend(all, limits);
	json_decref(limits);
	json_array_foreach(all, i, one)
		ok = ok && json_is_true(json_object_get(one, "ok"));
	control_answer(a->request, json_pack("{s:b, s:o}", "ok", (int)ok,
					     "checks", all));
}

void do_check(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	queries_one(m->queries, r, &(struct question){
		.cmd = "check", .args = args, .deadline_ms = DEADLINE_MS,
		.done = answered, .arg = m });
}
