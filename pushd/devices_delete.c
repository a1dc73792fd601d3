#include "pushd/devices_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "pushd/jitter.h"

#define BATCH_MAX 256
#define AGAIN_MS 1000

/* $4 is $1 in the type of the id column: for its index. */
static const struct pg_stmt stmt_delete = {
	.name = "devices_delete",
	.sql = "DELETE FROM devices AS d USING"
	       " unnest($1::text[], $2::text[], $3::bigint[]) AS v (id, token, ms)"
	       " WHERE d.id = ANY($4) AND d.id::text = v.id"
	       " AND d.push_token::text = v.token"
	       " AND " UPDATED_MS("d.updated_at") " = v.ms",
	.nparams = 4,
};

struct dead_row {
	struct list node;
	int64_t updated_at_ms;
	const char *token;	/* behind the id */
	char id[];
};

static void put_back(struct dead_rows *s)
{
	list_splice(&s->sent, &s->waiting);
	list_splice(&s->waiting, &s->sent);
}

static void forget(struct list *rows)
{
	struct list *n;

	while ((n = list_shift(rows)) != NULL)
		free(LIST_ENTRY(n, struct dead_row, node));
}

static void on_deleted(void *arg, int err, const PGresult *res)
{
	struct dead_rows *s = arg;

	if (err == -EREMOTEIO && s->nsent > 1) {
		/* one row's fault: which, shows when each is by itself */
		s->alone = s->nsent;
		put_back(s);
		loop_defer(s->loop, &s->flush);
		return;
	}
	if (err == -ECANCELED)
		return;
	if (err != 0 && err != -EREMOTEIO) {
		put_back(s);
		timer_arm(&s->again, AGAIN_MS / 2 + jitter_ms(AGAIN_MS));
		return;
	}
	if (err == -EREMOTEIO)
		devices_refused(s->refused, "deleting devices", res);
	else if (s->alone == 0)
		s->refused[0] = '\0';
	s->alone -= s->alone > 0;
	forget(&s->sent);
	loop_defer(s->loop, &s->flush);
}

static void query(struct dead_rows *s, struct buf *ids, struct buf *tokens,
		  struct buf *times)
{
	const char *params[4];

	pg_array_end(ids);
	pg_array_end(tokens);
	pg_array_end(times);
	params[0] = params[3] = ids->p;
	params[1] = tokens->p;
	params[2] = times->p;
	pg_query(s->pg, &stmt_delete, params, on_deleted, s);
}

static void on_flush(void *arg)
{
	struct dead_rows *s = arg;
	size_t most = s->alone > 0 ? 1 : BATCH_MAX;
	struct buf ids = { 0 }, tokens = { 0 }, times = { 0 };
	struct list *n;
	char ms[24];

	if (!list_empty(&s->sent) || timer_armed(&s->again))
		return;
	s->nsent = 0;
	while (s->nsent < most && (n = list_shift(&s->waiting)) != NULL) {
		struct dead_row *r = LIST_ENTRY(n, struct dead_row, node);

		list_append(&s->sent, n);
		s->nsent++;
		pg_array_add(&ids, r->id, strlen(r->id));
		pg_array_add(&tokens, r->token, strlen(r->token));
		pg_array_add(&times, ms,
			     (size_t)snprintf(ms, sizeof(ms), "%" PRId64,
					      r->updated_at_ms));
	}
	if (s->nsent > 0)
		query(s, &ids, &tokens, &times);
	buf_free(&ids);
	buf_free(&tokens);
	buf_free(&times);
}

void devices_delete(struct devices *d, const struct device *dev)
{
	size_t id = strlen(dev->id) + 1, token = strlen(dev->token) + 1;
	struct dead_row *r = mem_alloc(sizeof(*r) + id + token);

	list_init(&r->node);
	r->updated_at_ms = dev->updated_at_ms;
	memcpy(r->id, dev->id, id);
	r->token = memcpy(r->id + id, dev->token, token);
	list_append(&d->dead.waiting, &r->node);
	loop_defer(d->dead.loop, &d->dead.flush);
}

void dead_rows_up(struct dead_rows *s)
{
	timer_disarm(&s->again);
	loop_defer(s->loop, &s->flush);
}

void dead_rows_init(struct dead_rows *s, struct loop *l, struct pg *pg)
{
	s->loop = l;
	s->pg = pg;
	list_init(&s->waiting);
	list_init(&s->sent);
	task_init(&s->flush, LOOP_WORK, on_flush, s);
	timer_init(&s->again, l, on_flush, s);
}

void dead_rows_free(struct dead_rows *s)
{
	forget(&s->waiting);
	forget(&s->sent);
	task_cancel(&s->flush);
	timer_free(&s->again);
}
