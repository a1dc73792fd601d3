#include "common/store/message_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/deadlines.h"
#include "common/store/store_backend.h"
#include "common/store/store_lanes.h"

/* Ids in one statement for several recipients. */
#define GROUP_IDS_MAX 1000

/* What all operations but inserts may hold, waiting or in flight: a server that
 * hangs, and a client that goes on confirming, fill no more than a small
 * multiple of this. The base is about what a backend keeps for each. */
#define REQUESTS_BYTES (16 * 1024 * 1024)
#define REQUEST_BASE 1024

/* One call of ours, from its start to the backend's answer; its caller may be
 * answered before that, by the deadline. */
struct request {
	struct list node;	/* all, for message_store_free */
	struct list wait;	/* not yet with the backend */
	struct deadline due;
	struct message_store *s;
	bool answered;
	bool refused;		/* beyond REQUESTS_BYTES */
	size_t bytes;		/* counted in s->bytes */
	union {
		store_last_cb *last;
		store_rows_cb *rows;
		void (*done)(void *arg, int err);
	} cb;
	void *arg;
	struct store_op op;
	struct store_confirm call;
	char *match_id;
	char *user_id;
	char (*ids)[MESSAGE_ID_LEN + 1];
	size_t nids;
};

/* Confirmations that go out together. */
struct group {
	struct message_store *s;
	struct store_op op;
	struct store_confirm *calls;
	struct request **reqs;
	size_t n;
};

struct message_store {
	struct loop *loop;
	const struct store_backend *backend;
	void *be;
	struct store_lanes *lanes;
	void (*state)(void *arg, bool up);
	void *arg;
	bool up;
	struct deadlines deadlines;
	struct list all;
	size_t bytes;		/* of all */
	bool full;		/* logged: requests are refused */
	struct list ready;	/* to be handed over at the end of the turn */
	struct list confirms;	/* waiting for the group in flight */
	bool group_out;
	struct task hand_over;
};

static void answer(struct request *q, int err)
{
	struct store_rows *r = &q->op.rows;

	if (q->answered)
		return;
	q->answered = true;
	deadline_drop(&q->due);
	switch (q->op.kind) {
	case OP_LAST_SENT:
		q->cb.last(q->arg, err, err == 0 ? q->op.sent_at_ms : 0);
		return;
	case OP_SET_OWE:
		q->cb.done(q->arg, err);
		return;
	case OP_MISSED:
	case OP_RECEIPTS:
	case OP_MISSED_COUNT:
	case OP_DUE:
	case OP_UNREAD:
	case OP_HISTORY:
	case OP__COUNT:
	case OP_DELIVERED:
	case OP_READ:
	case OP_GET:
		store_rows_sort(r);
		q->cb.rows(q->arg, err, err == 0 ? r->v : NULL,
			   err == 0 ? r->n : 0);
		return;
	}
}

static void request_free(struct request *q)
{
	struct message_store *s = q->s;

	s->bytes -= q->bytes;
	if (s->full && s->bytes < REQUESTS_BYTES / 2) {
		s->full = false;
		log_info("store: takes all operations again");
	}
	list_remove(&q->node);
	list_remove(&q->wait);
	deadline_drop(&q->due);
	store_rows_free(&q->op.rows);
	free(q->match_id);
	free(q->user_id);
	free(q->ids);
	free(q);
}

static void on_expired(struct deadline *d, void *arg)
{
	struct request *q = CONTAINER_OF(d, struct request, due);
	bool waiting = !list_empty(&q->wait);

	(void)arg;
	answer(q, -ETIMEDOUT);
	if (waiting)
		request_free(q);	/* else the backend still holds it */
}

static void group_free(struct group *g)
{
	store_rows_free(&g->op.rows);
	free(g->calls);
	free(g->reqs);
	free(g);
}

/* What is queued while a group is out is the next group: the more there is
 * to confirm, the fewer statements a confirmation costs. */
static void group_start(struct message_store *s)
{
	size_t n = 0, ids = 0;
	struct list *pos, *tmp;
	struct group *g;

	if (s->group_out || list_empty(&s->confirms))
		return;
	LIST_FOREACH_SAFE(pos, tmp, &s->confirms)
		n++;
	g = mem_zalloc(sizeof(*g));
	g->s = s;
	g->calls = mem_alloc(n * sizeof(g->calls[0]));
	g->reqs = mem_alloc(n * sizeof(g->reqs[0]));
	g->op.kind = OP_DELIVERED;
	g->op.due_us = INT64_MAX;
	LIST_FOREACH_SAFE(pos, tmp, &s->confirms) {
		struct request *q = LIST_ENTRY(pos, struct request, wait);

		ids += q->nids;
		if (g->n > 0 && ids > GROUP_IDS_MAX)
			break;
		list_remove(pos);
		if (q->op.due_us < g->op.due_us)
			g->op.due_us = q->op.due_us;
		g->calls[g->n] = q->call;
		g->reqs[g->n++] = q;
	}
	g->op.calls = g->calls;
	g->op.ncalls = g->n;
	s->group_out = true;
	s->backend->run(s->be, &g->op);
}

static void group_done(struct group *g, int err)
{
	struct message_store *s = g->s;

	for (size_t i = 0; i < g->op.rows.n && err == 0; i++)
		store_rows_add(&g->reqs[g->op.rows.call[i]]->op.rows,
			       &g->op.rows.v[i], 0);
	for (size_t i = 0; i < g->n; i++) {
		answer(g->reqs[i], err);
		request_free(g->reqs[i]);
	}
	group_free(g);
	s->group_out = false;
	if (!list_empty(&s->confirms))
		loop_defer(s->loop, &s->hand_over);
}

void store_op_done(struct store_op *op, int err)
{
	struct request *q;

	if (op->kind == OP_DELIVERED) {
		group_done(CONTAINER_OF(op, struct group, op), err);
		return;
	}
	q = CONTAINER_OF(op, struct request, op);
	answer(q, err);
	request_free(q);
}

static void on_hand_over(void *arg)
{
	struct message_store *s = arg;
	struct list *n;

	while ((n = list_shift(&s->ready)) != NULL) {
		struct request *q = LIST_ENTRY(n, struct request, wait);
		bool by_id = q->op.kind != OP_LAST_SENT;

		if (q->refused || (by_id && q->nids == 0)) {
			answer(q, q->refused ? -EAGAIN : 0);
			request_free(q);
			continue;
		}
		s->backend->run(s->be, &q->op);
	}
	group_start(s);
}

/* Ids that no row can have are left out: they come from clients, and one of
 * them must not spoil a statement it shares with others. */
static void copy_ids(struct request *q, const char (*ids)[MESSAGE_ID_LEN + 1],
		     size_t n)
{
	if (q->refused)
		return;
	q->ids = mem_alloc(n * sizeof(q->ids[0]) + 1);
	for (size_t i = 0; i < n; i++) {
		size_t len = strnlen(ids[i], sizeof(ids[i]));

		if (message_id_valid((struct slice){ ids[i], len }))
			memcpy(q->ids[q->nids++], ids[i], sizeof(ids[i]));
	}
	q->op.ids = (const char(*)[MESSAGE_ID_LEN + 1])q->ids;
	q->op.nids = q->nids;
}

/* Counts a request with n ids, or marks it as one too many. */
static void admit(struct request *q, size_t n)
{
	struct message_store *s = q->s;
	size_t bytes = REQUEST_BASE + n * sizeof(q->ids[0]);

	if (s->bytes + bytes <= REQUESTS_BYTES) {
		q->bytes = bytes;
		s->bytes += bytes;
		return;
	}
	q->refused = true;
	if (!s->full)
		log_warn("store: too many operations wait for the server, "
			 "more are refused bytes=%zu", s->bytes);
	s->full = true;
}

static struct request *request_new(struct message_store *s,
				   enum store_op_kind kind, size_t nids,
				   void *arg)
{
	struct request *q = mem_zalloc(sizeof(*q));

	q->s = s;
	admit(q, nids);
	q->arg = arg;
	q->op.kind = kind;
	list_init(&q->wait);
	list_append(&s->all, &q->node);
	deadline_init(&q->due);
	deadline_arm(&s->deadlines, &q->due);
	q->op.due_us = q->due.due_us;
	return q;
}

static void request_start(struct request *q)
{
	struct message_store *s = q->s;

	list_append(q->op.kind == OP_DELIVERED && q->nids > 0 ? &s->confirms :
								 &s->ready,
		    &q->wait);
	if (q->op.kind != OP_DELIVERED || q->nids == 0 || !s->group_out)
		loop_defer(s->loop, &s->hand_over);
}

static struct request *confirm_new(struct message_store *s,
				   enum store_op_kind kind,
				   const struct store_confirm *c,
				   store_rows_cb *cb, void *arg)
{
	struct request *q = request_new(s, kind, c->n, arg);

	q->cb.rows = cb;
	q->user_id = mem_strdup(c->recipient_id);
	copy_ids(q, c->ids, c->n);
	q->call = *c;
	q->call.recipient_id = q->user_id;
	q->call.ids = q->op.ids;
	q->call.n = q->nids;
	q->op.calls = &q->call;
	q->op.ncalls = 1;
	return q;
}

void message_store_insert(struct message_store *s, const struct message *m,
			  store_insert_cb *cb, void *arg)
{
	store_lanes_insert(s->lanes, m, cb, arg);
}

void message_store_last_sent(struct message_store *s, const char *sender_id,
			     const char *match_id, store_last_cb *cb, void *arg)
{
	struct request *q = request_new(s, OP_LAST_SENT, 0, arg);

	q->cb.last = cb;
	q->user_id = mem_strdup(sender_id);
	q->match_id = mem_strdup(match_id);
	q->op.sender_id = q->user_id;
	q->op.match_id = q->match_id;
	request_start(q);
}

void message_store_delivered(struct message_store *s,
			     const struct store_confirm *c, store_rows_cb *cb,
			     void *arg)
{
	request_start(confirm_new(s, OP_DELIVERED, c, cb, arg));
}

void message_store_read(struct message_store *s, const char *match_id,
			const struct store_confirm *c, store_rows_cb *cb,
			void *arg)
{
	struct request *q = confirm_new(s, OP_READ, c, cb, arg);

	q->match_id = mem_strdup(match_id);
	q->op.match_id = q->match_id;
	request_start(q);
}

void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg)
{
	struct request *q = request_new(s, OP_GET, n, arg);

	q->cb.rows = cb;
	copy_ids(q, ids, n);
	request_start(q);
}

void message_store_set_owe(struct message_store *s, const char *id,
			   int64_t owe_us, void (*cb)(void *arg, int err),
			   void *arg)
{
	struct request *q = request_new(s, OP_SET_OWE, 1, arg);
	char one[1][MESSAGE_ID_LEN + 1];

	snprintf(one[0], sizeof(one[0]), "%s", id);
	q->cb.done = cb;
	copy_ids(q, (const char(*)[MESSAGE_ID_LEN + 1])one, 1);
	q->op.owe = owe_us;
	request_start(q);
}

static void on_state(void *arg, bool up)
{
	struct message_store *s = arg;

	if (s->up == up)
		return;
	s->up = up;
	if (s->state != NULL)
		s->state(s->arg, up);
}

bool message_store_up(const struct message_store *s)
{
	return s->up;
}

static void to_backend(void *arg, struct store_batch *b)
{
	struct message_store *s = arg;

	s->backend->insert(s->be, b);
}

static const struct store_backend *backend_of(const char *url)
{
	static const struct {
		const char *prefix;
		const struct store_backend *backend;
	} schemes[] = {
		{ "postgresql://", &store_pg },
		{ "postgres://", &store_pg },
		{ "mongodb://", &store_mongo },
		{ "mongodb+srv://", &store_mongo },
	};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (strncmp(url, schemes[i].prefix,
			    strlen(schemes[i].prefix)) == 0)
			return schemes[i].backend;
	return NULL;
}

struct message_store *message_store_new(struct loop *l,
					const struct message_store_conf *conf,
					void (*state)(void *arg, bool up),
					void *arg, char err[256])
{
	struct message_store *s;
	const struct store_backend *backend = backend_of(conf->url);

	if (backend == NULL) {
		snprintf(err, 256, "the message store's URL must begin with "
				   "postgresql:// or mongodb://");
		return NULL;
	}
	s = mem_zalloc(sizeof(*s));
	s->loop = l;
	s->backend = backend;
	s->state = state;
	s->arg = arg;
	list_init(&s->all);
	list_init(&s->ready);
	list_init(&s->confirms);
	s->be = backend->open(l, conf, on_state, s, err);
	if (s->be == NULL) {
		free(s);
		return NULL;
	}
	task_init(&s->hand_over, LOOP_WORK, on_hand_over, s);
	deadlines_init(&s->deadlines, l, conf->timeout_ms, on_expired, s);
	s->lanes = store_lanes_new(l, &(struct store_lanes_conf){
						.lanes = conf->lanes,
						.timeout_ms = conf->timeout_ms,
						.queue_max = conf->queue_max,
						.insert = to_backend,
						.arg = s,
					});
	return s;
}

/* True if there was anything. Those that the backend holds are left to it. */
static bool cancel_requests(struct message_store *s)
{
	bool any = false;
	struct list *n;

	while ((n = list_shift(&s->all)) != NULL) {
		struct request *q = LIST_ENTRY(n, struct request, node);

		any = true;
		answer(q, -ECANCELED);
		if (!list_empty(&q->wait))
			request_free(q);
	}
	return any;
}

void message_store_free(struct message_store **sp)
{
	struct message_store *s = *sp;
	bool any;

	if (s == NULL)
		return;
	s->state = NULL;
	do {	/* callbacks may submit to either */
		any = store_lanes_cancel(s->lanes);
		any |= cancel_requests(s);
	} while (any);
	s->backend->close(s->be);
	store_lanes_free(&s->lanes);
	task_cancel(&s->hand_over);
	deadlines_free(&s->deadlines);
	free(s);
	*sp = NULL;
}
