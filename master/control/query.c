#include "master/control/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "master/workers/supervisor.h"

/* Of a worker's loop that stands still: by then it is replaced, usually. */
#define DEADLINE_MS 5000

struct asked {
	unsigned slot;
	uint32_t instance;
	bool done;
};

struct query {
	struct list node;
	struct queries *all;
	uint32_t id;
	struct control_request request;
	struct question q;		/* without cmd and args: they are in */
	char *text;
	json_t *found;
	json_t *unanswered;
	struct asked *asked;
	size_t nasked;
	size_t waiting;
	unsigned tries_left;		/* slots that may be asked yet, of one */
	unsigned next_slot;
	struct timer deadline;
};

struct queries {
	struct loop *loop;
	struct supervisor *sup;
	struct list open;
	uint32_t next_id;
	unsigned turn;			/* where the next queries_one() begins */
};

struct queries *queries_new(struct loop *l, struct supervisor *s)
{
	struct queries *q = mem_zalloc(sizeof(*q));

	q->loop = l;
	q->sup = s;
	/* A late answer to an earlier master (upgrade.h) is to none of ours. */
	q->next_id = (uint32_t)clock_mono_ms();
	list_init(&q->open);
	return q;
}

static void query_free(struct query *q)
{
	list_remove(&q->node);
	timer_free(&q->deadline);
	json_decref(q->found);
	json_decref(q->unanswered);
	json_decref(q->q.keep);
	free(q->text);
	free(q->asked);
	free(q);
}

void queries_free(struct queries **qp)
{
	struct queries *q = *qp;
	struct list *n;

	if (q == NULL)
		return;
	while ((n = list_first(&q->open)) != NULL) {
		struct query *one = LIST_ENTRY(n, struct query, node);

		control_refuse(one->request, "pairwire is stopping");
		query_free(one);
	}
	free(q);
	*qp = NULL;
}

static void name_unanswered(struct query *q, const struct asked *a,
			    const char *reason)
{
	json_array_append_new(q->unanswered,
			      json_pack("{s:i, s:I, s:s}", "slot", (int)a->slot,
					"instance", (json_int_t)a->instance,
					"reason", reason));
}

static void finish(struct query *q)
{
	struct query_answers a = { q->request, q->q.keep, q->found,
				   q->unanswered };
	unsigned s = (q->q.deadline_ms + 999) / 1000;
	char late[64];

	timer_disarm(&q->deadline);
	snprintf(late, sizeof(late), "no answer within %u second%s", s,
		 s == 1 ? "" : "s");
	for (size_t i = 0; i < q->nasked; i++)
		if (!q->asked[i].done)
			name_unanswered(q, &q->asked[i], late);
	q->q.done(q->q.arg, &a);
	query_free(q);
}

static void on_deadline(void *arg)
{
	finish(arg);
}

/* True: its answer is waited for. */
static bool ask(struct query *q, struct instance *i)
{
	struct ipc_query msg = { .id = q->id };
	struct asked *a;
	int rc = -EAGAIN;

	q->asked = mem_realloc(q->asked, (q->nasked + 1) * sizeof(*q->asked));
	a = &q->asked[q->nasked++];
	*a = (struct asked){ .slot = i->slot, .instance = i->id };
	/* The question must come after what it is about. */
	if (!q->q.told || i->owed == 0)
		rc = instance_send(i, IPC_QUERY, &msg, sizeof(msg),
				   slice_of(q->text), -1);
	if (rc == 0) {
		q->waiting++;
		return true;
	}
	a->done = true;
	if (!q->q.told || rc != -EPIPE)
		name_unanswered(q, a, "cannot be asked");
	return false;
}

/* Of one question: the next slot whose worker is READY. */
static void ask_next(struct query *q)
{
	struct supervisor *sup = q->all->sup;
	bool asked = false;

	while (!asked && q->tries_left > 0) {
		struct slot_view v;

		supervisor_slot(sup, q->next_slot, &v);
		q->next_slot = (q->next_slot + 1) % supervisor_slots(sup);
		q->tries_left--;
		asked = v.worker != NULL && v.worker->state == INSTANCE_READY &&
			ask(q, v.worker);
	}
}

/* q may be gone afterwards. reason NULL: it answered. */
static void settle(struct query *q, struct asked *a, const char *reason)
{
	a->done = true;
	q->waiting--;
	if (reason != NULL) {
		name_unanswered(q, a, reason);
		ask_next(q);
	}
	if (q->waiting == 0)
		finish(q);
}

static struct asked *find_asked(struct query *q, uint32_t instance)
{
	for (size_t i = 0; i < q->nasked; i++)
		if (q->asked[i].instance == instance && !q->asked[i].done)
			return &q->asked[i];
	return NULL;
}

static char *question_text(const struct question *question)
{
	json_t *o = json_pack("{s:s}", "cmd", question->cmd);
	char *text;

	if (question->args != NULL)
		json_object_set_new(o, "args", json_deep_copy(question->args));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text != NULL &&
	    strlen(text) > IPC_TEXT_MAX - sizeof(struct ipc_query)) {
		free(text);
		text = NULL;
	}
	return text;
}

/* NULL: refused. */
static struct query *query_new(struct queries *all, struct control_request r,
			       const struct question *question)
{
	char *text = question_text(question);
	struct query *q;

	if (text == NULL) {
		json_decref(question->keep);
		control_refuse(r, "the argument is too long");
		return NULL;
	}
	q = mem_zalloc(sizeof(*q));
	q->all = all;
	q->id = all->next_id++;
	q->request = r;
	q->q = *question;
	q->q.cmd = NULL;
	q->q.args = NULL;
	if (q->q.deadline_ms == 0)
		q->q.deadline_ms = DEADLINE_MS;
	q->text = text;
	q->found = json_array();
	q->unanswered = json_array();
	list_append(&all->open, &q->node);
	timer_init(&q->deadline, all->loop, on_deadline, q);
	return q;
}

static void wait_for_answers(struct query *q)
{
	if (q->waiting == 0)
		finish(q);
	else
		timer_arm(&q->deadline, q->q.deadline_ms);
}

static void ask_if(struct query *q, struct instance *i)
{
	if (i != NULL && (i->state == INSTANCE_READY ||
			  (q->q.told && i->state == INSTANCE_STARTING)))
		ask(q, i);
}

void queries_all(struct queries *all, struct control_request r,
		 const struct question *question)
{
	struct query *q = query_new(all, r, question);

	if (q == NULL)
		return;
	for (unsigned i = 0; i < supervisor_slots(all->sup); i++) {
		struct slot_view v;

		supervisor_slot(all->sup, i, &v);
		ask_if(q, v.worker);
		ask_if(q, v.successor);
	}
	for (unsigned i = 0; i < supervisor_draining(all->sup); i++)
		ask(q, supervisor_drainer(all->sup, i));
	wait_for_answers(q);
}

void queries_one(struct queries *all, struct control_request r,
		 const struct question *question)
{
	struct query *q = query_new(all, r, question);

	if (q == NULL)
		return;
	q->tries_left = supervisor_slots(all->sup);
	q->next_slot = all->turn++ % q->tries_left;
	ask_next(q);
	wait_for_answers(q);
}

static struct query *find_query(struct queries *all, uint32_t id)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &all->open) {
		struct query *q = LIST_ENTRY(pos, struct query, node);

		if (q->id == id)
			return q;
	}
	return NULL;
}

void queries_answer(struct queries *all, const struct instance *i, uint32_t id,
		    struct slice json)
{
	struct query *q = find_query(all, id);
	struct asked *a = q != NULL ? find_asked(q, i->id) : NULL;
	const char *error;
	json_t *root;

	if (a == NULL)
		return;		/* after the deadline */
	root = json_loadb(json.p, json.n, 0, NULL);
	error = json_string_value(json_object_get(root, "error"));
	if (!json_is_object(root)) {
		settle(q, a, "its answer is malformed");
	} else if (error != NULL) {
		settle(q, a, error);
	} else {
		json_array_append_new(
			q->found, json_pack("{s:i, s:I, s:O}", "slot",
					    (int)a->slot, "instance",
					    (json_int_t)a->instance, "answer",
					    root));
		settle(q, a, NULL);
	}
	json_decref(root);
}

void queries_worker_died(struct queries *all, const struct instance *i)
{
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &all->open) {
		struct query *q = LIST_ENTRY(pos, struct query, node);
		struct asked *a = find_asked(q, i->id);

		if (a != NULL)
			settle(q, a, q->q.told ? NULL : "it died meanwhile");
	}
}

/* --- reading the answers --- */

json_t *query_merged(const struct query_answers *a, const char *member)
{
	json_t *all = json_array(), *from;
	size_t i, k;

	json_array_foreach((json_t *)a->list, i, from) {
		const json_t *list = json_object_get(
			json_object_get(from, "answer"), member);

		for (k = 0; k < json_array_size(list); k++) {
			json_t *one = json_copy(json_array_get(list, k));

			if (json_is_object(one)) {
				json_object_set(one, "slot",
						json_object_get(from, "slot"));
				json_object_set(one, "instance",
						json_object_get(from,
								"instance"));
				json_array_append(all, one);
			}
			json_decref(one);
		}
	}
	return all;
}

const json_t *query_only(const struct query_answers *a)
{
	return json_object_get(json_array_get(a->list, 0), "answer");
}

const char *query_silence(const struct query_answers *a)
{
	size_t n = json_array_size(a->unanswered);
	const char *reason = json_string_value(json_object_get(
		json_array_get(a->unanswered, n > 0 ? n - 1 : 0), "reason"));

	return reason != NULL ? reason : "no worker is serving";
}
