#include "master/control/commands_user.h"

#include "master/master.h"
#include "master/control/query.h"

static bool refused(struct control_request r, const json_t *args)
{
	size_t n = json_string_length(json_array_get(args, 0));

	if (n == 0 || n > PW_ID_MAX)
		control_refuse(r, "that is no user's id: they have 1 to %d "
			       "bytes", PW_ID_MAX);
	return n == 0 || n > PW_ID_MAX;
}

static json_int_t sum(const struct query_answers *a, const char *member)
{
	json_int_t n = 0;
	json_t *from;
	size_t i;

	json_array_foreach((json_t *)a->list, i, from)
		n += json_integer_value(json_object_get(
			json_object_get(from, "answer"), member));
	return n;
}

/* --- user --- */

static void user_answered(void *arg, const struct query_answers *a)
{
	(void)arg;
	control_answer(a->request,
		       json_pack("{s:o, s:I, s:O}", "devices",
				 query_merged(a, "devices"), "more",
				 sum(a, "more"), "unanswered", a->unanswered));
}

void do_user(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	if (refused(r, args))
		return;
	queries_all(m->queries, r, &(struct question){
		.cmd = "user", .args = args, .done = user_answered });
}

/* --- disconnect --- */

static void elsewhere_told(void *arg, const struct query_answers *a)
{
	static const char *const members[] = { "instances", "deaf",
					       "elsewhere_unknown" };
	const json_t *answer = query_only(a);

	(void)arg;
	if (answer == NULL)
		json_object_set_new(a->keep, "elsewhere_unknown",
				    json_string(query_silence(a)));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const json_t *v = json_object_get(answer, members[i]);

		if (v != NULL)
			json_object_set_new(a->keep, members[i],
					    json_deep_copy(v));
	}
	control_answer(a->request, json_incref(a->keep));
}

/* Those here are told by their own master, so that they hear it when Redis is
 * down, and say how many they closed; then one worker tells the other hosts. */
static void closed_here(void *arg, const struct query_answers *a)
{
	const char *user = json_string_value(json_object_get(a->keep, "user"));
	json_t *args = json_pack("[s]", user);
	struct master *m = arg;

	json_object_set_new(a->keep, "devices", json_integer(sum(a, "closed")));
	json_object_set_new(a->keep, "instances", json_integer(0));
	json_object_set_new(a->keep, "deaf", json_integer(0));
	json_object_set_new(a->keep, "unanswered",
			    json_deep_copy(a->unanswered));
	queries_one(m->queries, a->request, &(struct question){
		.cmd = "disconnect_elsewhere", .args = args,
		.keep = json_incref(a->keep), .done = elsewhere_told });
	json_decref(args);
}

void do_disconnect(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	if (refused(r, args))
		return;
	queries_all(m->queries, r, &(struct question){
		.cmd = "disconnect", .args = args,
		.keep = json_pack("{s:O}", "user", json_array_get(args, 0)),
		.done = closed_here, .arg = m });
}

/* --- token --- */

static void token_made(void *arg, const struct query_answers *a)
{
	const json_t *answer = query_only(a);

	(void)arg;
	if (answer != NULL)
		control_answer(a->request, json_deep_copy(answer));
	else
		control_refuse(a->request, "%s", query_silence(a));
}

void do_token(void *arg, struct control_request r, const json_t *args)
{
	struct master *m = arg;

	if (refused(r, args))
		return;
	queries_one(m->queries, r, &(struct question){
		.cmd = "token", .args = args, .done = token_made });
}
