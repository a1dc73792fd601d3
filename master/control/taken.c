#include "master/control/taken.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/log.h"
#include "master/control/query.h"
#include "master/master.h"

/* One whose loop stands still has been replaced by then, unless stuck_timeout is
 * longer. pairwirectl gives us more. */
#define DEADLINE_MS 20000
/* What a program says that is older than the question. What came before it, it has
 * taken: messages come in order. */
#define OLDER "unknown query"

static bool is_older(const json_t *one)
{
	const char *reason = json_string_value(json_object_get(one, "reason"));

	return reason != NULL && strcmp(reason, OLDER) == 0;
}

static void warn(const char *what, const json_t *one)
{
	log_warn("%s: not known to count in a worker: slot=%" JSON_INTEGER_FORMAT
		 " instance=%" JSON_INTEGER_FORMAT " reason=\"%s\"", what,
		 json_integer_value(json_object_get(one, "slot")),
		 json_integer_value(json_object_get(one, "instance")),
		 json_string_value(json_object_get(one, "reason")));
}

static void answered(void *arg, const struct query_answers *a)
{
	const char *what = arg;
	json_t *missing = json_array(), *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)a->unanswered, i, one) {
		if (is_older(one))
			continue;
		warn(what, one);
		json_array_append(missing, one);
	}
	json_object_set_new(a->keep, "unanswered", missing);
	control_answer(a->request, json_incref(a->keep));
}

void taken_ask(struct master *m, struct control_request r, const char *what,
	       json_t *answer)
{
	json_t *args = json_pack("[s]", what);

	queries_all(m->queries, r, &(struct question){
		.cmd = "taken", .args = args, .deadline_ms = DEADLINE_MS,
		.told = true, .keep = answer, .done = answered,
		.arg = (void *)(uintptr_t)what });
	json_decref(args);
}
