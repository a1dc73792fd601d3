#include "common/store/store_lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/loop/deadlines.h"

/* Halving 500 rows down to one leaves at most this many halves waiting. */
#define RANGES_MAX 16

struct insert {
	struct list node;	/* in the lane's queue; on none once in a batch */
	struct deadline due;
	struct lane *lane;
	struct message *m;
	store_insert_cb *cb;
	void *arg;
	size_t seq;		/* place in the batch */
	size_t row;		/* its id's place in the range's rows */
	bool answered;
};

struct range {
	size_t lo, hi;
};

struct lane {
	struct store_lanes *s;
	struct list queue;
	size_t nqueued;
	struct task start;
	bool busy;
	/* The batch in flight, in order of arrival; it is carried out range by
	 * range, left to right, so that answers keep that order. */
	struct insert *v[LANE_BATCH_ROWS];
	size_t n;
	struct range todo[RANGES_MAX];	/* a stack: the leftmost on top */
	size_t ntodo;
	struct range now;
	bool lost;		/* its outcome is not known: all are answered */
	struct store_row rows[LANE_BATCH_ROWS];
	struct store_batch batch;
};

struct store_lanes {
	struct loop *loop;
	struct store_lanes_conf conf;
	struct deadlines deadlines;
	struct list refused;	/* queue_max or cancelled: answered at the end
				 * of the turn */
	bool cancelled;
	struct task refuse;
	struct lane lane[];
};

static void answer(struct insert *i, enum store_result r,
		   const struct message *first)
{
	if (i->answered)
		return;
	i->answered = true;
	deadline_drop(&i->due);
	i->cb(i->arg, r, first);
}

static void insert_free(struct insert *i)
{
	free(i->m);
	free(i);
}

/* A row of the batch may turn up though its caller was told that it is not
 * there: nothing may be stored behind it before the caller knows. So the rest
 * of the batch, stored or not, and what waits go the same way; what is inserted
 * by the callbacks does not. The batch itself stays until the backend is done
 * with it. */
static void outcome_unknown(struct lane *ln)
{
	size_t waiting = ln->nqueued;

	ln->lost = true;
	for (size_t k = 0; k < ln->n; k++)
		answer(ln->v[k], STORE_UNAVAILABLE, NULL);
	while (waiting-- > 0) {
		struct insert *i = LIST_ENTRY(list_shift(&ln->queue),
					      struct insert, node);

		ln->nqueued--;
		answer(i, STORE_UNAVAILABLE, NULL);
		insert_free(i);
	}
}

static void on_expired(struct deadline *d, void *arg)
{
	struct insert *i = CONTAINER_OF(d, struct insert, due);

	(void)arg;
	if (list_empty(&i->node)) {
		outcome_unknown(i->lane);
		return;
	}
	list_remove(&i->node);
	i->lane->nqueued--;
	answer(i, STORE_UNAVAILABLE, NULL);
	insert_free(i);
}

static int by_id(const void *a, const void *b)
{
	const struct insert *const *x = a, *const *y = b;
	int c = strcmp((*x)->m->id, (*y)->m->id);

	if (c != 0)
		return c;
	return (*x)->seq < (*y)->seq ? -1 : 1;
}

/* The rows of the range: ordered by id, which keeps two batches of PostgreSQL
 * from waiting for each other, and each id once. A resend that arrived while
 * its first copy still waited shares that one's row. Once the outcome is not
 * known all were answered: none is left to be sent. */
static void range_rows(struct lane *ln)
{
	struct insert *sorted[LANE_BATCH_ROWS];
	size_t n = 0;

	ln->batch = (struct store_batch){
		.lane = (unsigned)(ln - ln->s->lane),
		.rows = ln->rows,
		.due_us = INT64_MAX,
	};
	for (size_t k = ln->now.lo; k < ln->now.hi; k++)
		if (!ln->v[k]->answered)
			sorted[n++] = ln->v[k];
	qsort(sorted, n, sizeof(sorted[0]), by_id);
	for (size_t k = 0; k < n; k++) {
		struct insert *i = sorted[k];

		if (k == 0 || strcmp(i->m->id, sorted[k - 1]->m->id) != 0)
			ln->rows[ln->batch.n++] = (struct store_row){ .m = i->m };
		i->row = ln->batch.n - 1;
		if (i->due.due_us < ln->batch.due_us)
			ln->batch.due_us = i->due.due_us;
	}
}

static void batch_end(struct lane *ln)
{
	for (size_t k = 0; k < ln->n; k++)
		insert_free(ln->v[k]);
	ln->n = 0;
	ln->busy = false;
	if (!list_empty(&ln->queue))
		loop_defer(ln->s->loop, &ln->start);
}

static void run_ranges(struct lane *ln)
{
	while (ln->ntodo > 0) {
		ln->now = ln->todo[--ln->ntodo];
		range_rows(ln);
		if (ln->batch.n > 0) {
			ln->s->conf.insert(ln->s->conf.arg, &ln->batch);
			return;
		}
	}
	batch_end(ln);
}

static size_t room(const struct message *m)
{
	return m->content.n + (m->media_url != NULL ? strlen(m->media_url) : 0) +
	       sizeof(*m);
}

static void on_start(void *arg)
{
	struct lane *ln = arg;
	size_t bytes = 0;
	struct list *n;

	if (ln->busy)
		return;
	while (ln->n < LANE_BATCH_ROWS && (n = list_first(&ln->queue)) != NULL) {
		struct insert *i = LIST_ENTRY(n, struct insert, node);

		bytes += room(i->m);
		if (ln->n > 0 && bytes > LANE_BATCH_BYTES)
			break;
		list_remove(n);
		ln->nqueued--;
		i->seq = ln->n;
		ln->v[ln->n++] = i;
	}
	if (ln->n == 0)
		return;
	ln->busy = true;
	ln->lost = false;
	ln->todo[0] = (struct range){ 0, ln->n };
	ln->ntodo = 1;
	run_ranges(ln);
}

/* What the caller of i is told, given how its id's row went. */
static void judge(struct insert *i, const struct store_row *row)
{
	const struct message *there = row->found;
	bool own = row->m == i->m;

	switch (row->state) {
	case ROW_STORED:
		if (own) {
			answer(i, STORE_OK, NULL);
			return;
		}
		there = row->m;
		break;
	case ROW_PRESENT:
		/* Ours: the driver sent it twice because the first answer was
		 * lost, or an earlier attempt of ours did arrive. */
		if (own && there->pos == i->m->pos &&
		    strcmp(there->src, i->m->src) == 0 &&
		    message_same(there, i->m)) {
			answer(i, STORE_OK, NULL);
			return;
		}
		break;
	case ROW_REFUSED:
		/* Other content under a refused id was not tried: the caller
		 * may do so again. */
		answer(i, own || message_same(row->m, i->m) ? STORE_REFUSED :
							       STORE_UNAVAILABLE,
		       NULL);
		return;
	case ROW_FAILED:
	case ROW_UNKNOWN:
		answer(i, STORE_UNAVAILABLE, NULL);
		return;
	}
	if (message_same(there, i->m))
		answer(i, STORE_DUPLICATE, there);
	else
		answer(i, STORE_CLASH, NULL);
}

static void halve(struct lane *ln)
{
	size_t mid = ln->now.lo + (ln->now.hi - ln->now.lo) / 2;

	ln->todo[ln->ntodo++] = (struct range){ mid, ln->now.hi };
	ln->todo[ln->ntodo++] = (struct range){ ln->now.lo, mid };
}

static void rows_drop(struct store_batch *b)
{
	for (size_t k = 0; k < b->n; k++)
		free(b->rows[k].found);
}

void store_batch_done(struct store_batch *b, int err)
{
	struct lane *ln = CONTAINER_OF(b, struct lane, batch);
	bool known = err == 0 || err == -EINVAL || err == -EAGAIN ||
		     err == -ENOTCONN;

	if (err == -EINVAL && b->n > 1) {
		rows_drop(b);
		halve(ln);
		run_ranges(ln);
		return;
	}
	for (size_t k = 0; k < b->n && err != 0; k++)
		b->rows[k].state = err == -EINVAL ? ROW_REFUSED : ROW_FAILED;
	for (size_t k = ln->now.lo; k < ln->now.hi && known; k++) {
		struct store_row *row = &b->rows[ln->v[k]->row];

		known = row->state != ROW_UNKNOWN;
		if (known && !ln->v[k]->answered)
			judge(ln->v[k], row);
	}
	rows_drop(b);
	if (!known && !ln->lost)
		outcome_unknown(ln);
	run_ranges(ln);
}

static struct lane *lane_of(struct store_lanes *s, const struct message *m)
{
	uint64_t h = hash_str(m->sender_id) * 31 + hash_str(m->match_id);

	return &s->lane[h % s->conf.lanes];
}

static void on_refuse(void *arg)
{
	struct store_lanes *s = arg;
	struct list *n;

	while ((n = list_shift(&s->refused)) != NULL) {
		struct insert *i = LIST_ENTRY(n, struct insert, node);

		answer(i, STORE_UNAVAILABLE, NULL);
		insert_free(i);
	}
}

void store_lanes_insert(struct store_lanes *s, const struct message *m,
			store_insert_cb *cb, void *arg)
{
	struct lane *ln = lane_of(s, m);
	struct insert *i = mem_zalloc(sizeof(*i));

	i->lane = ln;
	i->cb = cb;
	i->arg = arg;
	list_init(&i->node);
	deadline_init(&i->due);
	if (s->cancelled || ln->nqueued >= s->conf.queue_max) {
		list_append(&s->refused, &i->node);
		loop_defer(s->loop, &s->refuse);
		return;
	}
	i->m = message_dup(m);
	deadline_arm(&s->deadlines, &i->due);
	list_append(&ln->queue, &i->node);
	ln->nqueued++;
	if (!ln->busy)
		loop_defer(s->loop, &ln->start);
}

struct store_lanes *store_lanes_new(struct loop *l,
				    const struct store_lanes_conf *conf)
{
	struct store_lanes *s = mem_zalloc(
		sizeof(*s) + conf->lanes * sizeof(s->lane[0]));

	s->loop = l;
	s->conf = *conf;
	list_init(&s->refused);
	task_init(&s->refuse, LOOP_WORK, on_refuse, s);
	deadlines_init(&s->deadlines, l, conf->timeout_ms, on_expired, s);
	for (unsigned k = 0; k < conf->lanes; k++) {
		struct lane *ln = &s->lane[k];

		ln->s = s;
		list_init(&ln->queue);
		task_init(&ln->start, LOOP_WORK, on_start, ln);
	}
	return s;
}

static void lane_cancel(struct lane *ln)
{
	struct list *n;

	for (size_t j = 0; j < ln->n; j++)
		answer(ln->v[j], STORE_UNAVAILABLE, NULL);
	while ((n = list_shift(&ln->queue)) != NULL) {
		struct insert *i = LIST_ENTRY(n, struct insert, node);

		ln->nqueued--;
		answer(i, STORE_UNAVAILABLE, NULL);
		insert_free(i);
	}
}

bool store_lanes_cancel(struct store_lanes *s)
{
	bool any = !s->cancelled || !list_empty(&s->refused);

	if (!s->cancelled) {
		s->cancelled = true;
		for (unsigned k = 0; k < s->conf.lanes; k++)
			lane_cancel(&s->lane[k]);
	}
	on_refuse(s);	/* what the callbacks insert comes to this list, too */
	return any;
}

void store_lanes_free(struct store_lanes **sp)
{
	struct store_lanes *s = *sp;

	if (s == NULL)
		return;
	for (unsigned k = 0; k < s->conf.lanes; k++)
		task_cancel(&s->lane[k].start);
	task_cancel(&s->refuse);
	deadlines_free(&s->deadlines);
	free(s);
	*sp = NULL;
}
