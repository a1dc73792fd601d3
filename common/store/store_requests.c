#include "common/store/store_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"

/* Of one statement for several callers: ids that it changes, and rows that it
 * may report. */
#define GROUP_IDS_MAX 1000
#define GROUP_ROWS_MAX 10000

/* What all requests may hold, waiting or in flight: a server that hangs, and a
 * client that goes on confirming, fill no more than a small multiple of this.
 * The base is about what a backend keeps for each. */
#define REQUESTS_BYTES (16 * 1024 * 1024)
#define REQUEST_BASE 1024

/* The kinds that are grouped; each has one group out. */
struct grouped {
	struct list waiting;
	size_t weight_max;	/* of a group, unless one request alone has more */
	bool out;
};

struct group {
	struct store_requests *s;
	struct grouped *of;
	struct store_op op;
	struct store_confirm *calls;
	struct store_missed *missed;
	struct store_owe *owes;
	char (*ids)[MESSAGE_ID_LEN + 1];	/* GET: each once, in order */
	struct store_confirm_row *asked;	/* and who asked for it */
	size_t nasked;
	struct store_request **reqs;
	size_t n;
};

struct store_requests {
	struct loop *loop;
	struct store_requests_conf conf;
	struct deadlines deadlines;
	struct list all;
	size_t bytes;		/* of all */
	bool full;		/* logged: requests are refused */
	struct list ready;	/* to be handed over at the end of the turn */
	struct grouped confirms;
	struct grouped missed;
	struct grouped owes;
	struct grouped gets;
	struct task hand_over;
};

static struct grouped *grouped_of(struct store_requests *s,
				  enum store_op_kind kind)
{
	switch (kind) {
	case OP_DELIVERED:
		return &s->confirms;
	case OP_MISSED:
		return &s->missed;
	case OP_SET_OWE:
		return &s->owes;
	case OP_GET:
		return &s->gets;
	default:
		return NULL;
	}
}

static size_t weight(const struct store_request *q)
{
	return q->op.kind == OP_MISSED ? q->missed.limit : q->nids;
}

static void answer(struct store_request *q, int err)
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
	case OP_MISSED_COUNT:
		q->cb.count(q->arg, err, err == 0 ? q->op.count : 0);
		return;
	case OP_LOOK:
		q->cb.look(q->arg, err, err == 0 ? q->op.look->text : "",
			   err == 0 ? q->op.look->todo : "");
		return;
	case OP_DELIVERED:
	case OP_READ:
	case OP_GET:
	case OP_MISSED:
	case OP_RECEIPTS:
	case OP_DUE:
	case OP_UNREAD:
	case OP_HISTORY:
	case OP__COUNT:
		store_rows_sort(r, q->op.kind);
		q->cb.rows(q->arg, err, err == 0 ? r->v : NULL,
			   err == 0 ? r->n : 0);
		return;
	}
}

static void request_free(struct store_request *q)
{
	struct store_requests *s = q->s;

	s->bytes -= q->bytes;
	if (s->full && s->bytes < REQUESTS_BYTES / 2) {
		s->full = false;
		log_info("store: takes all operations again");
	}
	list_remove(&q->node);
	list_remove(&q->wait);
	deadline_drop(&q->due);
	store_rows_free(&q->op.rows);
	free(q->op.look);
	free(q->match_id);
	free(q->user_id);
	free(q->ids);
	free(q);
}

static void on_expired(struct deadline *d, void *arg)
{
	struct store_request *q = CONTAINER_OF(d, struct store_request, due);
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
	free(g->missed);
	free(g->owes);
	free(g->ids);
	free(g->asked);
	free(g->reqs);
	free(g);
}

static void group_add(struct group *g, struct store_request *q)
{
	if (q->op.due_us < g->op.due_us)
		g->op.due_us = q->op.due_us;
	if (q->op.kind == OP_DELIVERED)
		g->calls[g->n] = q->call;
	else if (q->op.kind == OP_GET)
		g->calls[g->n] = (struct store_confirm){ .ids = q->op.ids,
							 .n = q->nids };
	else if (q->op.kind == OP_SET_OWE)
		g->owes[g->n] = q->owe;
	else
		g->missed[g->n] = q->missed;
	g->reqs[g->n++] = q;
}

static int by_id(const void *a, const void *b)
{
	const struct store_owe *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static void group_ids(struct group *g)
{
	size_t n = 0;

	store_confirm_rows(&(struct store_op){ .calls = g->calls, .ncalls = g->n },
			   &g->asked, &g->nasked);
	g->ids = mem_alloc(g->nasked * sizeof(g->ids[0]));
	for (size_t i = 0; i < g->nasked; i++)
		if (n == 0 || strcmp(g->ids[n - 1], g->asked[i].id) != 0)
			memcpy(g->ids[n++], g->asked[i].id, sizeof(g->ids[0]));
	g->op.ids = (const char(*)[MESSAGE_ID_LEN + 1])g->ids;
	g->op.nids = n;
}

static void group_op(struct group *g, enum store_op_kind kind)
{
	g->op.kind = kind;
	g->op.calls = g->calls;
	g->op.missed = g->missed;
	g->op.owes = g->owes;
	if (kind == OP_DELIVERED)
		g->op.ncalls = g->n;
	else if (kind == OP_GET)
		group_ids(g);
	else if (kind == OP_SET_OWE)
		g->op.nowes = g->n;
	else
		g->op.nmissed = g->n;
	qsort(g->owes, g->op.nowes, sizeof(g->owes[0]), by_id);
}

/* What is queued while a group is out is the next group: the more there is
 * to ask, the fewer statements one of them costs. */
static void group_start(struct store_requests *s, enum store_op_kind kind)
{
	struct grouped *of = grouped_of(s, kind);
	size_t n = 0, sum = 0;
	struct list *pos, *tmp;
	struct group *g;

	if (of->out || list_empty(&of->waiting))
		return;
	LIST_FOREACH_SAFE(pos, tmp, &of->waiting) {
		sum += weight(LIST_ENTRY(pos, struct store_request, wait));
		if (n > 0 && sum > of->weight_max)
			break;
		n++;
	}
	g = mem_zalloc(sizeof(*g));
	g->s = s;
	g->of = of;
	g->calls = mem_alloc(n * sizeof(g->calls[0]));
	g->missed = mem_alloc(n * sizeof(g->missed[0]));
	g->owes = mem_alloc(n * sizeof(g->owes[0]));
	g->reqs = mem_alloc(n * sizeof(g->reqs[0]));
	g->op.due_us = INT64_MAX;
	while (g->n < n)
		group_add(g, LIST_ENTRY(list_shift(&of->waiting),
					struct store_request, wait));
	group_op(g, kind);
	of->out = true;
	s->conf.run(s->conf.arg, &g->op);
}

static int asked_before(const void *id, const void *asked)
{
	return strcmp(id, ((const struct store_confirm_row *)asked)->id);
}

/* Row i of what was got, to all who asked for it. */
static void row_got(struct group *g, size_t i)
{
	const char *id = g->op.rows.v[i].id;
	const struct store_confirm_row *end = g->asked + g->nasked;
	const struct store_confirm_row *a =
		bsearch(id, g->asked, g->nasked, sizeof(*a), asked_before);

	if (a == NULL)
		return;
	while (a > g->asked && strcmp(a[-1].id, id) == 0)
		a--;
	for (; a + 1 < end && strcmp(a[1].id, id) == 0; a++)
		if (a[1].call != a->call)	/* it may have named it twice */
			store_rows_add(&g->reqs[a->call]->op.rows,
				       &g->op.rows.v[i], 0);
	store_rows_move(&g->reqs[a->call]->op.rows, &g->op.rows, i, 0);
}

static void group_done(struct group *g, int err)
{
	struct store_requests *s = g->s;
	struct grouped *of = g->of;

	for (size_t i = 0; i < g->op.rows.n && err == 0; i++) {
		if (g->op.kind == OP_GET)
			row_got(g, i);
		else
			store_rows_move(&g->reqs[g->op.rows.call[i]]->op.rows,
					&g->op.rows, i, 0);
	}
	for (size_t i = 0; i < g->n; i++) {
		answer(g->reqs[i], err);
		request_free(g->reqs[i]);
	}
	group_free(g);
	of->out = false;
	if (!list_empty(&of->waiting))
		loop_defer(s->loop, &s->hand_over);
}

void store_op_done(struct store_op *op, int err)
{
	struct store_request *q;

	if (op->kind == OP_DELIVERED || op->kind == OP_MISSED ||
	    op->kind == OP_SET_OWE || op->kind == OP_GET) {
		group_done(CONTAINER_OF(op, struct group, op), err);
		return;
	}
	q = CONTAINER_OF(op, struct store_request, op);
	answer(q, err);
	request_free(q);
}

static void on_hand_over(void *arg)
{
	struct store_requests *s = arg;
	struct list *n;

	while ((n = list_shift(&s->ready)) != NULL) {
		struct store_request *q =
			LIST_ENTRY(n, struct store_request, wait);

		if (q->early) {
			answer(q, q->early_err);
			request_free(q);
			continue;
		}
		s->conf.run(s->conf.arg, &q->op);
	}
	group_start(s, OP_DELIVERED);
	group_start(s, OP_GET);
	group_start(s, OP_SET_OWE);
	group_start(s, OP_MISSED);
}

void store_request_refuse(struct store_request *q, int err)
{
	if (q->early)
		return;
	q->early = true;
	q->early_err = err;
}

/* They come from clients, and one that no row can have must not spoil a
 * statement it shares with others. */
void store_request_ids(struct store_request *q,
		       const char (*ids)[MESSAGE_ID_LEN + 1], size_t n)
{
	if (q->early)
		return;
	q->ids = mem_alloc(n * sizeof(q->ids[0]) + 1);
	for (size_t i = 0; i < n; i++) {
		size_t len = strnlen(ids[i], sizeof(ids[i]));

		if (message_id_valid((struct slice){ ids[i], len }))
			memcpy(q->ids[q->nids++], ids[i], sizeof(ids[i]));
	}
	q->op.ids = (const char(*)[MESSAGE_ID_LEN + 1])q->ids;
	q->op.nids = q->nids;
	if (q->nids == 0)
		store_request_refuse(q, 0);
}

/* Counts a request with n ids, or marks it as one too many. */
static void admit(struct store_request *q, size_t n)
{
	struct store_requests *s = q->s;
	size_t bytes = REQUEST_BASE + n * sizeof(q->ids[0]);

	if (s->bytes + bytes <= REQUESTS_BYTES) {
		q->bytes = bytes;
		s->bytes += bytes;
		return;
	}
	store_request_refuse(q, -EAGAIN);
	if (!s->full)
		log_warn("store: too many operations wait for the server, "
			 "more are refused bytes=%zu", s->bytes);
	s->full = true;
}

struct store_request *store_request_new(struct store_requests *s,
					enum store_op_kind kind, size_t nids,
					void *arg)
{
	struct store_request *q = mem_zalloc(sizeof(*q));

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

void store_request_start(struct store_request *q)
{
	struct store_requests *s = q->s;
	struct grouped *of = q->early ? NULL : grouped_of(s, q->op.kind);

	list_append(of != NULL ? &of->waiting : &s->ready, &q->wait);
	if (of == NULL || !of->out)
		loop_defer(s->loop, &s->hand_over);
}

struct store_requests *store_requests_new(struct loop *l,
					  const struct store_requests_conf *conf)
{
	struct store_requests *s = mem_zalloc(sizeof(*s));

	s->loop = l;
	s->conf = *conf;
	list_init(&s->all);
	list_init(&s->ready);
	list_init(&s->confirms.waiting);
	list_init(&s->missed.waiting);
	list_init(&s->owes.waiting);
	list_init(&s->gets.waiting);
	s->confirms.weight_max = GROUP_IDS_MAX;
	s->missed.weight_max = GROUP_ROWS_MAX;
	s->owes.weight_max = GROUP_IDS_MAX;
	s->gets.weight_max = GROUP_IDS_MAX;
	task_init(&s->hand_over, LOOP_WORK, on_hand_over, s);
	deadlines_init(&s->deadlines, l, conf->timeout_ms, on_expired, s);
	return s;
}

bool store_requests_cancel(struct store_requests *s)
{
	bool any = false;
	struct list *n;

	while ((n = list_shift(&s->all)) != NULL) {
		struct store_request *q =
			LIST_ENTRY(n, struct store_request, node);

		any = true;
		answer(q, -ECANCELED);
		if (!list_empty(&q->wait))
			request_free(q);
	}
	return any;
}

void store_requests_free(struct store_requests **sp)
{
	struct store_requests *s = *sp;

	if (s == NULL)
		return;
	task_cancel(&s->hand_over);
	deadlines_free(&s->deadlines);
	free(s);
	*sp = NULL;
}
