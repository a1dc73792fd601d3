/* What devices were not sent, on a thread (design M5, M6). Of one user it is
 * up to three parts, each with an index of its own; a page is the first rows of
 * what they give together.
 *
 * A query can limit its rows, not those of each user. So many users are asked
 * for in one, which is all there is to do when nobody has much (thousands come
 * back after a restart), and whoever fills it by himself is asked for alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store_mongo_doc.h"
#include "common/store/store_mongo.h"

#define USERS_MAX 500
#define ROWS_MAX 1000		/* of many users together */
#define BYTES_MAX (8 << 20)	/* the same, of their content */
/* Users of one query begin at the earliest of theirs: what the others have
 * from before is read in vain. */
#define APART_US 60000000
/* chg may be below pos by as much as workers' clocks differ. */
#define SKEW_US 10000000

struct part {
	const char *user;	/* the field with the user's id */
	bool undelivered;
	bool delivered;
	bool since;		/* only what is newer than that */
	bool by_chg;		/* in order of chg, not pos */
	const char *index[4];
	const char *order[4];
};

static const struct part undelivered = {
	.user = "recipientId", .undelivered = true,
	.index = { "recipientId", "deliveredAt", "pos" },
	.order = { "recipientId", "deliveredAt", "pos" },
};
static const struct part received = {
	.user = "recipientId", .since = true,
	.index = { "recipientId", "pos" },
	.order = { "recipientId", "pos" },
};
static const struct part sent = {
	.user = "senderId", .since = true,
	.index = { "senderId", "chg" },
	.order = { "senderId", "pos" },
};
static const struct part receipts = {
	.user = "senderId", .since = true, .delivered = true, .by_chg = true,
	.index = { "senderId", "chg" },
	.order = { "senderId", "chg" },
};

static int64_t key_of(const struct part *p, const struct message *m)
{
	return p->by_chg ? m->chg : m->pos;
}

static const char *user_of(const struct part *p, const struct message *m)
{
	return p->user[0] == 's' ? m->sender_id : m->recipient_id;
}

/* All but the user: rows with a key from `from` on, up to `to` unless 0. */
static void filter_part(bson_t *f, const struct part *p, int64_t from,
			int64_t to)
{
	bson_t pos;

	if (p->undelivered)
		BSON_APPEND_NULL(f, "deliveredAt");
	if (p->delivered)
		BCON_APPEND(f, "deliveredAt", "{", "$ne", BCON_NULL, "}");
	if (p->by_chg)
		BCON_APPEND(f, "chg", "{", "$gte", BCON_INT64(from), "}");
	else if (strcmp(p->index[1], "chg") == 0)
		BCON_APPEND(f, "chg", "{", "$gte", BCON_INT64(from - SKEW_US),
			    "}");
	BSON_APPEND_DOCUMENT_BEGIN(f, "pos", &pos);
	BSON_APPEND_INT64(&pos, "$gte", p->by_chg ? 1 : from);
	if (to != 0)
		BSON_APPEND_INT64(&pos, "$lte", to);
	bson_append_document_end(f, &pos);
	mongo_filter_messages(f);
}

/* One caller's part. */
struct want {
	const struct store_missed *q;
	unsigned call;
	int64_t from;		/* the least key it wants */
	bool seen;		/* had rows in a query of many */
	/* In the query under way: */
	size_t content;		/* bytes of the rows it has got */
	int64_t key;		/* of the last of them */
};

static int64_t from_of(const struct part *p, const struct store_missed *q)
{
	int64_t from = q->after_pos > 0 ? q->after_pos : 1;

	return p->since && q->since >= from ? q->since + 1 : from;
}

static bool wanted(const struct part *p, const struct want *w,
		   const struct message *m)
{
	int64_t key = key_of(p, m);

	return key >= w->from && (key != w->q->after_pos ||
				  strcmp(m->id, w->q->after_id) > 0);
}

/* One part, of all callers. */
struct search {
	struct mongo_job *job;
	mongoc_collection_t *c;
	const struct part *part;
	struct store_rows *found;
	/* The query of many under way, in order of user. */
	struct want *many;
	size_t n;
	size_t run;		/* the first with the user of the last row */
	size_t run_at;		/* that user's first row in found */
	size_t rows;		/* so far */
	size_t content;		/* bytes of theirs */
};

static void drop_from(struct store_rows *r, size_t at)
{
	while (r->n > at)
		free(r->owned[--r->n]);
}

/* False: it has enough. The page's bytes may end anywhere among rows of one key,
 * which come in any order: all of them are taken. */
static bool take(struct search *s, struct want *w, const struct message *m)
{
	int64_t key = key_of(s->part, m);

	if (w->q->bytes != 0 && w->content >= w->q->bytes && key != w->key)
		return false;
	store_rows_add(s->found, m, w->call);
	w->content += m->content.n;
	w->key = key;
	return true;
}

static bool take_one(struct mongo_job *job, const struct message *m, void *arg)
{
	struct search *s = arg;

	(void)job;
	return take(s, s->many, m);
}

/* The rows at the place where the page before this one ended. */
static void filter_after(bson_t *f, const struct part *p, const struct want *w)
{
	bson_oid_t id;

	if (w->from != w->q->after_pos ||
	    !bson_oid_is_valid(w->q->after_id, strlen(w->q->after_id)))
		return;
	bson_oid_init_from_string(&id, w->q->after_id);
	BCON_APPEND(f, "$nor", "[", "{", p->by_chg ? "chg" : "pos",
		    BCON_INT64(w->from), "_id", "{", "$lte", BCON_OID(&id), "}",
		    "}", "]");
}

/* The index knows no ids: of rows with one key any could be the last of the
 * page. One row more than the page tells; if so, the server has to sort. */
static int ask_rows(struct search *s, struct want *w, unsigned limit)
{
	const struct store_rows *r = s->found;
	const size_t at = r->n;
	bson_t filter = BSON_INITIALIZER;
	struct mongo_query q = { .filter = &filter, .index = s->part->index,
				 .order = s->part->order,
				 .without_content = s->part->by_chg,
				 .limit = limit + 1 };
	int err;

	BSON_APPEND_UTF8(&filter, s->part->user, w->q->user_id);
	filter_part(&filter, s->part, w->from, 0);
	filter_after(&filter, s->part, w);
	s->many = w;
	w->content = 0;
	err = mongo_find(s->job, s->c, &q, take_one, s);
	if (err == 0 && r->n == at + limit + 1 &&
	    key_of(s->part, &r->v[r->n - 1]) ==
		    key_of(s->part, &r->v[r->n - 2])) {
		drop_from(s->found, at);
		q.then_id = true;
		w->content = 0;
		err = mongo_find(s->job, s->c, &q, take_one, s);
	}
	bson_destroy(&filter);
	return err;
}

static int ask_one(struct search *s, struct want *w)
{
	const struct store_rows *r = s->found;
	const size_t at = r->n, bytes = s->part->by_chg ? 0 : w->q->bytes;
	unsigned limit = mongo_rows_first(w->q->limit, bytes);

	for (;;) {
		int err = ask_rows(s, w, limit);

		if (err != 0 || r->n <= at + limit || limit == w->q->limit)
			return err;
		/* The row behind those may have been chosen by chance. */
		if (w->content - r->v[r->n - 1].content.n >= bytes)
			return 0;
		limit = mongo_rows_next(w->q->limit, bytes, r->n - at,
					w->content);
		drop_from(s->found, at);
	}
}

static int by_user(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	return strcmp(x->q->user_id, y->q->user_id);
}

static int by_from(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* The first with this user, or n. */
static size_t find_user(const struct search *s, const char *user)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->many[mid].q->user_id, user) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && strcmp(s->many[lo].q->user_id, user) == 0 ? lo :
									s->n;
}

static bool take_many(struct mongo_job *job, const struct message *m, void *arg)
{
	struct search *s = arg;
	const char *user = user_of(s->part, m);
	size_t i = find_user(s, user);

	(void)job;
	s->rows++;
	s->content += m->content.n;
	if (i != s->run) {
		s->run = i;
		s->run_at = s->found->n;
	}
	for (; i < s->n && strcmp(s->many[i].q->user_id, user) == 0; i++) {
		s->many[i].seen = true;
		if (wanted(s->part, &s->many[i], m))
			take(s, &s->many[i], m);
	}
	return s->content < BYTES_MAX;
}

/* {$in: users}, from the earliest place. */
static void filter_many(bson_t *f, const struct search *s)
{
	int64_t from = INT64_MAX;
	bson_t user, in;
	uint32_t k = 0;

	BSON_APPEND_DOCUMENT_BEGIN(f, s->part->user, &user);
	BSON_APPEND_ARRAY_BEGIN(&user, "$in", &in);
	for (size_t i = 0; i < s->n; i++) {
		const struct want *w = &s->many[i];
		char buf[16];
		const char *key;

		if (w->from < from)
			from = w->from;
		if (i > 0 && by_user(w - 1, w) == 0)
			continue;
		bson_uint32_to_string(k++, &key, buf, sizeof(buf));
		BSON_APPEND_UTF8(&in, key, w->q->user_id);
	}
	bson_append_array_end(&user, &in);
	bson_append_document_end(f, &user);
	filter_part(f, s->part, from, 0);
}

/* More rows than we asked for at once: those with rows before the last user's
 * are done, he himself is asked for alone, the others are left, in front. */
static int finish_many(struct search *s, size_t *left_out)
{
	struct want *w = s->many, last;
	const size_t n = s->n, run = s->run < n ? s->run : 0;
	size_t left = 0;

	drop_from(s->found, s->run_at);	/* else they would pile up */
	last = w[run];
	for (size_t i = 0; i < n; i++) {
		if (i == run || (w[i].seen && by_user(&w[i], &last) != 0))
			continue;
		w[left] = w[i];
		w[left].content = 0;
		w[left++].seen = false;
	}
	*left_out = left;
	return ask_one(s, &last);
}

static int ask_many(struct search *s, struct want *w, size_t n,
		    size_t *left_out)
{
	bson_t filter = BSON_INITIALIZER;
	const struct mongo_query q = { .filter = &filter,
				       .index = s->part->index,
				       .order = s->part->order,
				       .limit = ROWS_MAX };
	int err;

	qsort(w, n, sizeof(w[0]), by_user);
	s->many = w;
	s->n = n;
	s->run = n;
	s->run_at = s->found->n;
	s->rows = 0;
	s->content = 0;
	filter_many(&filter, s);
	err = mongo_find(s->job, s->c, &q, take_many, s);
	bson_destroy(&filter);
	*left_out = 0;
	if (err == 0 && (s->rows == ROWS_MAX || s->content >= BYTES_MAX))
		err = finish_many(s, left_out);
	return err;
}

/* How many go into the next query. */
static size_t together(const struct want *w, size_t n, size_t max)
{
	size_t k = 1;

	while (k < n && k < max && w[k].from - w[0].from <= APART_US)
		k++;
	return k;
}

static int ask_all(struct search *s, struct want *w, size_t n)
{
	size_t max = USERS_MAX;

	while (n > 0) {
		size_t k, left = 0;
		int err;

		qsort(w, n, sizeof(w[0]), by_from);
		k = together(w, n, max);
		err = k == 1 ? ask_one(s, &w[0]) : ask_many(s, w, k, &left);
		if (err != 0)
			return err;
		/* One of them alone had too much: so may the others. */
		if (left > 0 && left == k - 1)
			max = (k + 1) / 2;
		else if (left == 0 && 2 * max <= USERS_MAX)
			max *= 2;
		memmove(w + left, w + k, (n - k) * sizeof(w[0]));
		n -= k - left;
	}
	return 0;
}

struct place {
	size_t row;
	unsigned call;
	int64_t key;
	const char *id;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->call != y->call)
		return x->call < y->call ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* Of what the parts found, each caller's first rows, each once. */
static void settle(struct store_op *op, const struct store_missed *calls,
		   const struct part *p, struct store_rows *found)
{
	struct place *at = mem_alloc(found->n * sizeof(at[0]) + 1);
	unsigned n = 0;
	size_t content = 0;

	for (size_t i = 0; i < found->n; i++)
		at[i] = (struct place){ i, found->call[i],
					key_of(p, &found->v[i]),
					found->v[i].id };
	qsort(at, found->n, sizeof(at[0]), by_place);
	for (size_t i = 0; i < found->n; i++) {
		const struct store_missed *q = &calls[at[i].call];

		if (i == 0 || at[i].call != at[i - 1].call)
			n = content = 0;
		else if (strcmp(at[i].id, at[i - 1].id) == 0)
			continue;
		if (n == q->limit || (q->bytes != 0 && content >= q->bytes))
			continue;
		store_rows_move(&op->rows, found, at[i].row, at[i].call);
		n++;
		content += found->v[at[i].row].content.n;
	}
	free(at);
}

/* What is not delivered and behind since is among all that is behind it. */
static bool applies(const struct part *p, const struct store_missed *q)
{
	if (p->since)
		return q->since != 0;
	return q->since == 0 || q->after_pos <= q->since;
}

static int ask_parts(struct mongo_job *job, mongoc_collection_t *c,
		     const struct store_missed *calls, size_t ncalls,
		     const struct part *const *parts)
{
	struct store_rows found = { 0 };
	struct search s = { .job = job, .c = c, .found = &found };
	struct want *w = mem_alloc(ncalls * sizeof(w[0]));
	int err = 0;

	for (size_t i = 0; parts[i] != NULL && err == 0; i++) {
		size_t n = 0;

		s.part = parts[i];
		for (unsigned k = 0; k < ncalls; k++)
			if (applies(s.part, &calls[k]))
				w[n++] = (struct want){
					.q = &calls[k], .call = k,
					.from = from_of(s.part, &calls[k])
				};
		err = ask_all(&s, w, n);
	}
	if (err == 0)
		settle(job->op, calls, parts[0], &found);
	store_rows_free(&found);
	free(w);
	return err;
}

int mongo_op_missed(struct mongo_job *job, mongoc_collection_t *c)
{
	static const struct part *const parts[] = { &undelivered, &received,
						    &sent, NULL };

	return ask_parts(job, c, job->op->missed, job->op->nmissed, parts);
}

int mongo_op_receipts(struct mongo_job *job, mongoc_collection_t *c)
{
	static const struct part *const parts[] = { &receipts, NULL };

	return ask_parts(job, c, job->op->one, 1, parts);
}

static int count_part(struct mongo_job *job, mongoc_collection_t *c,
		      const struct part *p)
{
	struct store_op *op = job->op;
	const int64_t since = op->one->since;
	bson_t filter = BSON_INITIALIZER, opts;
	int64_t n;
	int err = mongo_read_opts(job, p->index, &opts);

	if (err != 0)
		return err;
	BSON_APPEND_UTF8(&filter, p->user, op->one->user_id);
	filter_part(&filter, p, p->since ? since + 1 : 1, p->since ? 0 : since);
	BSON_APPEND_INT64(&opts, "limit", (int64_t)(op->max - op->count));
	n = mongoc_collection_count_documents(c, &filter, &opts, NULL, NULL,
					      &job->error);
	bson_destroy(&filter);
	bson_destroy(&opts);
	if (n < 0)
		return mongo_errno(&job->error);
	op->count += (size_t)n;
	return 0;
}

int mongo_op_missed_count(struct mongo_job *job, mongoc_collection_t *c)
{
	static const struct part *const parts[] = { &undelivered, &received,
						    &sent, &receipts };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && err == 0 &&
			   job->op->count < job->op->max; i++)
		err = count_part(job, c, parts[i]);
	return err;
}
