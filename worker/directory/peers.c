#include "worker/directory/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/backend/pg.h"
#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/loop/loop.h"
#include "worker/directory/refusal.h"

#define BATCH_MAX 64

static const struct pg_stmt stmt_peers = {
	.name = "directory_peers",
	.sql = "SELECT user_a_id, user_b_id FROM matches"
	       " WHERE user_a_id = ANY($1) AND unmatched_at IS NULL"
	       " AND user_b_id <> user_a_id"
	       " UNION SELECT user_b_id, user_a_id FROM matches"
	       " WHERE user_b_id = ANY($2) AND unmatched_at IS NULL"
	       " AND user_a_id <> user_b_id",
	.nparams = 2,
};

/* What a client asks about may be no value of the column: compared as text. Costs
 * a walk through his own matches. */
static const struct pg_stmt stmt_matched = {
	.name = "directory_matched",
	.sql = "SELECT user_b_id FROM matches WHERE user_a_id = $1"
	       " AND unmatched_at IS NULL AND user_b_id::text = ANY($2::text[])"
	       " UNION SELECT user_a_id FROM matches WHERE user_b_id = $1"
	       " AND unmatched_at IS NULL AND user_a_id::text = ANY($2::text[])",
	.nparams = 2,
};

static const struct pg_stmt stmt_seen_at = {
	.name = "directory_seen_at",
	.sql = "SELECT id, (extract(epoch FROM last_seen) * 1000)::bigint"
	       " FROM users WHERE id = ANY($1) AND last_seen IS NOT NULL",
	.nparams = 1,
};

/* One who asks for the peers of a user. */
struct ask {
	struct list node;	/* p->asks, or its batch's */
	struct map_node by_id;	/* in its batch */
	directory_peers_cb *cb;
	void *arg;
	const char **found;	/* borrowed from the answer */
	size_t n, cap;
	char id[];
};

struct batch {
	struct peers *p;
	struct list asks;
	struct map map;		/* of these */
	size_t n;
};

struct peers {
	struct pg *pg;
	struct loop *loop;
	struct list asks;	/* of this turn: one query for all */
	struct task flush;
};

/* Users whose ids are longer than the protocol allows cannot connect. */
static bool is_user_id(const char *id)
{
	size_t n = strnlen(id, PW_ID_MAX + 1);

	return n > 0 && n <= PW_ID_MAX;
}

/* What callers are told; -ECANCELED stays. */
static int told(int err, const PGresult *res)
{
	if (err == 0 || err == -ECANCELED)
		return err;
	if (err == -EREMOTEIO)
		log_err("PostgreSQL refuses to read users' matches: %s",
			refusal_text(res));
	return -EAGAIN;
}

static bool ask_is(const struct map_node *n, const void *id)
{
	return strcmp(CONTAINER_OF(n, struct ask, by_id)->id, id) == 0;
}

static void ask_done(struct ask *a, int err)
{
	a->cb(a->arg, err, err == 0 ? a->found : NULL, err == 0 ? a->n : 0);
	free(a->found);
	free(a);
}

static void ask_found(struct ask *a, const char *id)
{
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 16;
		a->found = mem_realloc(a->found, a->cap * sizeof(*a->found));
	}
	a->found[a->n++] = id;
}

static struct batch *batch_new(struct peers *p)
{
	struct batch *b = mem_zalloc(sizeof(*b));

	b->p = p;
	list_init(&b->asks);
	map_init(&b->map, ask_is);
	return b;
}

static void batch_add(struct batch *b, struct ask *a)
{
	list_append(&b->asks, &a->node);
	map_insert(&b->map, &a->by_id, hash_str(a->id));
	b->n++;
}

static void batch_send(struct batch *b);

/* One of them has an id that the column cannot hold: each by itself. */
static void batch_split(struct batch *b)
{
	struct list *n;

	while ((n = list_shift(&b->asks)) != NULL) {
		struct batch *one = batch_new(b->p);

		batch_add(one, LIST_ENTRY(n, struct ask, node));
		batch_send(one);
	}
}

static void batch_fill(struct batch *b, const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++) {
		const char *id = PQgetvalue(res, i, 0);
		const char *other = PQgetvalue(res, i, 1);
		struct map_node *n = map_find(&b->map, hash_str(id), id);

		if (n != NULL && is_user_id(other))
			ask_found(CONTAINER_OF(n, struct ask, by_id), other);
	}
}

static void on_peers(void *arg, int err, const PGresult *res)
{
	struct batch *b = arg;
	struct list *n;

	if (refused_value(err, res)) {
		if (b->n > 1)
			batch_split(b);
		err = 0;	/* nobody can have this id */
	} else if (err == 0) {
		batch_fill(b, res);
	} else {
		err = told(err, res);
	}
	while ((n = list_shift(&b->asks)) != NULL)
		ask_done(LIST_ENTRY(n, struct ask, node), err);
	map_free(&b->map);
	free(b);
}

static void batch_send(struct batch *b)
{
	struct buf ids = { 0 };
	const char *params[2];
	struct list *pos, *tmp;

	LIST_FOREACH_SAFE(pos, tmp, &b->asks) {
		struct ask *a = LIST_ENTRY(pos, struct ask, node);

		pg_array_add(&ids, a->id, strlen(a->id));
	}
	pg_array_end(&ids);
	params[0] = params[1] = ids.p;
	pg_query(b->p->pg, &stmt_peers, params, on_peers, b);
	buf_free(&ids);
}

static void on_flush(void *arg)
{
	struct peers *p = arg;

	while (!list_empty(&p->asks)) {
		struct batch *b = batch_new(p);
		struct list *pos, *tmp;

		LIST_FOREACH_SAFE(pos, tmp, &p->asks) {
			struct ask *a = LIST_ENTRY(pos, struct ask, node);

			if (b->n == BATCH_MAX)
				break;
			/* asked for twice: the second is of the next */
			if (map_find(&b->map, hash_str(a->id), a->id) != NULL)
				continue;
			list_remove(&a->node);
			batch_add(b, a);
		}
		batch_send(b);
	}
}

void peers_get(struct peers *p, const char *user_id, directory_peers_cb *cb,
	       void *arg)
{
	size_t n = strlen(user_id) + 1;
	struct ask *a = mem_zalloc(sizeof(*a) + n);

	a->cb = cb;
	a->arg = arg;
	memcpy(a->id, user_id, n);
	list_append(&p->asks, &a->node);
	loop_defer(p->loop, &p->flush);
}

/* Which of these does he know? And then: when were they here? */
struct matched {
	struct pg *pg;
	directory_matched_cb *cb;
	void *arg;
	size_t n;
	bool *is;
	int64_t *seen;
	char **ids;
};

/* n: not one of them. */
static size_t matched_find(const struct matched *m, const char *id)
{
	size_t i = 0;

	while (i < m->n && strcmp(m->ids[i], id) != 0)
		i++;
	return i;
}

static void matched_done(struct matched *m, int err)
{
	m->cb(m->arg, err, m->is, m->seen, m->n);
	for (size_t i = 0; i < m->n; i++)
		free(m->ids[i]);
	free(m->ids);
	free(m->is);
	free(m->seen);
	free(m);
}

static void on_seen_at(void *arg, int err, const PGresult *res)
{
	struct matched *m = arg;

	if (err == 0)
		for (int i = 0; i < PQntuples(res); i++) {
			size_t k = matched_find(m, PQgetvalue(res, i, 0));

			if (k < m->n)
				m->seen[k] = pg_int(res, i, 1);
		}
	matched_done(m, told(err, res));
}

static void on_matched(void *arg, int err, const PGresult *res)
{
	struct matched *m = arg;
	struct buf ids = { 0 };
	const char *param;

	if (err != 0) {
		matched_done(m, refused_value(err, res) ? 0 : told(err, res));
		return;
	}
	for (int i = 0; i < PQntuples(res); i++) {
		const char *id = PQgetvalue(res, i, 0);
		size_t k = matched_find(m, id);

		if (k < m->n) {
			m->is[k] = true;
			pg_array_add(&ids, id, strlen(id));
		}
	}
	if (ids.len == 0) {
		matched_done(m, 0);
		return;
	}
	pg_array_end(&ids);
	param = ids.p;
	pg_query(m->pg, &stmt_seen_at, &param, on_seen_at, m);
	buf_free(&ids);
}

void peers_matched(struct peers *p, const char *user_id,
		   const char *const *others, size_t n,
		   directory_matched_cb *cb, void *arg)
{
	struct matched *m = mem_zalloc(sizeof(*m));
	struct buf ids = { 0 };
	const char *params[2];

	*m = (struct matched){ .pg = p->pg, .cb = cb, .arg = arg, .n = n };
	m->is = mem_zalloc((n + 1) * sizeof(*m->is));
	m->seen = mem_zalloc((n + 1) * sizeof(*m->seen));
	m->ids = mem_zalloc((n + 1) * sizeof(*m->ids));
	for (size_t i = 0; i < n; i++) {
		m->ids[i] = mem_strdup(others[i]);
		pg_array_add(&ids, others[i], strlen(others[i]));
	}
	pg_array_end(&ids);
	params[0] = user_id;
	params[1] = ids.p;
	pg_query(p->pg, &stmt_matched, params, on_matched, m);
	buf_free(&ids);
}

struct peers *peers_new(struct loop *l, struct pg *pg)
{
	struct peers *p = mem_zalloc(sizeof(*p));

	p->pg = pg;
	p->loop = l;
	list_init(&p->asks);
	task_init(&p->flush, LOOP_WORK, on_flush, p);
	return p;
}

void peers_free(struct peers **pp)
{
	struct peers *p = *pp;
	struct list *n;

	if (p == NULL)
		return;
	while ((n = list_shift(&p->asks)) != NULL)
		ask_done(LIST_ENTRY(n, struct ask, node), -ECANCELED);
	task_cancel(&p->flush);
	free(p);
	*pp = NULL;
}
