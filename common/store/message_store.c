#include "common/store/message_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store_backend.h"
#include "common/store/store_lanes.h"
#include "common/store/store_requests.h"

struct message_store {
	struct loop *loop;
	const struct store_backend *backend;
	void *be;
	struct store_lanes *lanes;
	struct store_requests *requests;
	void (*state)(void *arg, bool up);
	void *arg;
	bool up;
};

void message_store_insert(struct message_store *s, const struct message *m,
			  store_insert_cb *cb, void *arg)
{
	store_lanes_insert(s->lanes, m, cb, arg);
}

void message_store_last_sent(struct message_store *s, const char *sender_id,
			     const char *match_id, store_last_cb *cb, void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, OP_LAST_SENT, 0, arg);

	q->cb.last = cb;
	q->op.sender_id = q->user_id = mem_strdup(sender_id);
	q->op.match_id = q->match_id = mem_strdup(match_id);
	store_request_start(q);
}

static struct store_request *confirm_new(struct message_store *s,
					 enum store_op_kind kind,
					 const struct store_confirm *c,
					 store_rows_cb *cb, void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, kind, c->n, arg);

	q->cb.rows = cb;
	q->user_id = mem_strdup(c->recipient_id);
	store_request_ids(q, c->ids, c->n);
	q->call = *c;
	q->call.recipient_id = q->user_id;
	q->call.ids = q->op.ids;
	q->call.n = q->op.nids;
	q->op.calls = &q->call;
	q->op.ncalls = 1;
	return q;
}

void message_store_delivered(struct message_store *s,
			     const struct store_confirm *c, store_rows_cb *cb,
			     void *arg)
{
	store_request_start(confirm_new(s, OP_DELIVERED, c, cb, arg));
}

void message_store_read(struct message_store *s, const char *match_id,
			const struct store_confirm *c, store_rows_cb *cb,
			void *arg)
{
	struct store_request *q = confirm_new(s, OP_READ, c, cb, arg);

	q->op.match_id = q->match_id = mem_strdup(match_id);
	store_request_start(q);
}

void message_store_get(struct message_store *s,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n,
		       store_rows_cb *cb, void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, OP_GET, n, arg);

	q->cb.rows = cb;
	store_request_ids(q, ids, n);
	store_request_start(q);
}

static struct store_request *missed_new(struct message_store *s,
					enum store_op_kind kind,
					const struct store_missed *m, void *arg)
{
	struct store_request *q = store_request_new(s->requests, kind, 0, arg);

	q->missed = *m;
	q->missed.user_id = q->user_id = mem_strdup(m->user_id);
	return q;
}

void message_store_missed(struct message_store *s, const struct store_missed *m,
			  store_rows_cb *cb, void *arg)
{
	struct store_request *q = missed_new(s, OP_MISSED, m, arg);

	q->cb.rows = cb;
	store_request_start(q);
}

void message_store_receipts(struct message_store *s,
			    const struct store_missed *m, store_rows_cb *cb,
			    void *arg)
{
	struct store_request *q = missed_new(s, OP_RECEIPTS, m, arg);

	q->cb.rows = cb;
	q->op.one = &q->missed;
	store_request_start(q);
}

void message_store_missed_count(struct message_store *s, const char *user_id,
				int64_t since, size_t max, store_count_cb *cb,
				void *arg)
{
	const struct store_missed m = { .user_id = user_id, .since = since };
	struct store_request *q = missed_new(s, OP_MISSED_COUNT, &m, arg);

	q->cb.count = cb;
	q->op.one = &q->missed;
	q->op.max = max;
	store_request_start(q);
}

void message_store_due(struct message_store *s, int64_t now_us, unsigned limit,
		       store_rows_cb *cb, void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, OP_DUE, 0, arg);

	q->cb.rows = cb;
	q->op.now_us = now_us;
	q->op.limit = limit;
	store_request_start(q);
}

void message_store_look(struct message_store *s, store_look_cb *cb, void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, OP_LOOK, 0, arg);

	q->cb.look = cb;
	q->op.look = mem_zalloc(sizeof(*q->op.look));
	store_request_start(q);
}

void message_store_unread(struct message_store *s, const char *user_id,
			  store_rows_cb *cb, void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, OP_UNREAD, 0, arg);

	q->cb.rows = cb;
	q->op.user_id = q->user_id = mem_strdup(user_id);
	store_request_start(q);
}

static bool bound_possible(const struct store_bound *b)
{
	size_t n = strnlen(b->id, sizeof(b->id));

	return n == 0 || message_id_valid((struct slice){ b->id, n });
}

void message_store_history(struct message_store *s, const struct store_page *p,
			   store_rows_cb *cb, void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, OP_HISTORY, 0, arg);

	q->cb.rows = cb;
	q->page = *p;
	q->page.match_id = q->match_id = mem_strdup(p->match_id);
	q->op.page = &q->page;
	if (!bound_possible(&p->before) || !bound_possible(&p->after))
		store_request_refuse(q, -ENOENT);
	store_request_start(q);
}

void message_store_set_owe(struct message_store *s, const char *id,
			   int64_t owe_us, void (*cb)(void *arg, int err),
			   void *arg)
{
	struct store_request *q =
		store_request_new(s->requests, OP_SET_OWE, 1, arg);
	char one[1][MESSAGE_ID_LEN + 1];

	snprintf(one[0], sizeof(one[0]), "%s", id);
	q->cb.done = cb;
	store_request_ids(q, (const char(*)[MESSAGE_ID_LEN + 1])one, 1);
	memcpy(q->owe.id, one[0], sizeof(q->owe.id));
	q->owe.owe_us = owe_us;
	store_request_start(q);
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

static void run(void *arg, struct store_op *op)
{
	struct message_store *s = arg;

	s->backend->run(s->be, op);
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
	s->be = backend->open(l, conf, on_state, s, err);
	if (s->be == NULL) {
		free(s);
		return NULL;
	}
	s->requests = store_requests_new(
		l, &(struct store_requests_conf){ .timeout_ms = conf->timeout_ms,
						  .run = run,
						  .arg = s });
	s->lanes = store_lanes_new(l, &(struct store_lanes_conf){
						.lanes = conf->lanes,
						.timeout_ms = conf->timeout_ms,
						.queue_max = conf->queue_max,
						.insert = to_backend,
						.arg = s,
					});
	return s;
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
		any |= store_requests_cancel(s->requests);
	} while (any);
	s->backend->close(s->be);
	store_lanes_free(&s->lanes);
	store_requests_free(&s->requests);
	free(s);
	*sp = NULL;
}
