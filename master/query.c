#include "master/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "master/supervisor.h"

#define DEADLINE_MS 1000

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
	char *member;
	json_t *found;
	json_t *unanswered;
	struct asked *asked;
	size_t nasked;
	size_t waiting;
	struct timer deadline;
};

struct queries {
	struct loop *loop;
	struct supervisor *sup;
	struct list open;
	uint32_t next_id;
};

struct queries *queries_new(struct loop *l, struct supervisor *s)
{
	struct queries *q = mem_zalloc(sizeof(*q));

	q->loop = l;
	q->sup = s;
	q->next_id = 1;
	list_init(&q->open);
	return q;
}

static void query_free(struct query *q)
{
	list_remove(&q->node);
	timer_free(&q->deadline);
	json_decref(q->found);
	json_decref(q->unanswered);
	free(q->member);
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

		control_refuse(one->request, "the master is stopping");
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
	json_t *data;

	for (size_t i = 0; i < q->nasked; i++)
		if (!q->asked[i].done)
			name_unanswered(q, &q->asked[i],
					"no answer within 1 second");
	data = json_object();
	json_object_set(data, q->member, q->found);
	json_object_set(data, "unanswered", q->unanswered);
	control_answer(q->request, data);
	query_free(q);
}

static void on_deadline(void *arg)
{
	finish(arg);
}

/* q may be gone afterwards. reason NULL: it answered. */
static void settle(struct query *q, struct asked *a, const char *reason)
{
	a->done = true;
	if (reason != NULL)
		name_unanswered(q, a, reason);
	if (--q->waiting == 0)
		finish(q);
}

static struct asked *find_asked(struct query *q, uint32_t instance)
{
	for (size_t i = 0; i < q->nasked; i++)
		if (q->asked[i].instance == instance && !q->asked[i].done)
			return &q->asked[i];
	return NULL;
}

static void ask_all(struct query *q, struct slice text)
{
	struct ipc_query msg = { .id = q->id };
	unsigned n = supervisor_slots(q->all->sup);

	q->asked = mem_zalloc((n + 1) * sizeof(*q->asked));
	for (unsigned i = 0; i < n; i++) {
		struct slot_view v;
		struct asked *a = &q->asked[q->nasked];

		supervisor_slot(q->all->sup, i, &v);
		if (v.worker == NULL || v.worker->state != INSTANCE_READY)
			continue;
		*a = (struct asked){ .slot = i, .instance = v.worker->id };
		q->nasked++;
		if (instance_send(v.worker, IPC_QUERY, &msg, sizeof(msg), text,
				  -1) == 0) {
			q->waiting++;
		} else {
			a->done = true;
			name_unanswered(q, a, "cannot be asked");
		}
	}
}

void queries_ask(struct queries *all, struct control_request r, const char *cmd,
		 const json_t *args, const char *member)
{
	json_t *question = json_pack("{s:s, s:O}", "cmd", cmd, "args", args);
	char *text = json_dumps(question, JSON_COMPACT);
	struct query *q;

	json_decref(question);
	if (text == NULL || strlen(text) > IPC_TEXT_MAX - sizeof(struct ipc_query)) {
		free(text);
		control_refuse(r, "the argument is too long");
		return;
	}
	q = mem_zalloc(sizeof(*q));
	q->all = all;
	q->id = all->next_id++;
	q->request = r;
	q->member = mem_strdup(member);
	q->found = json_array();
	q->unanswered = json_array();
	list_append(&all->open, &q->node);
	timer_init(&q->deadline, all->loop, on_deadline, q);
	ask_all(q, slice_of(text));
	free(text);
	if (q->waiting == 0)
		finish(q);
	else
		timer_arm(&q->deadline, DEADLINE_MS);
}

static void collect(struct query *q, const struct asked *a, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_copy(json_array_get(list, i));

		if (!json_is_object(one)) {
			json_decref(one);
			continue;
		}
		json_object_set_new(one, "slot", json_integer((int)a->slot));
		json_object_set_new(one, "instance", json_integer(a->instance));
		json_array_append_new(q->found, one);
	}
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
	const json_t *list;
	json_t *root;

	if (a == NULL)
		return;		/* after the deadline */
	root = json_loadb(json.p, json.n, 0, NULL);
	list = json_object_get(root, q->member);
	if (json_is_array(list)) {
		collect(q, a, list);
		settle(q, a, NULL);
	} else {
		settle(q, a, "its answer is malformed");
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
			settle(q, a, "it died meanwhile");
	}
}
