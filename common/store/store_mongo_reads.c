/* Reads of what is owed, unread and past, on a thread. */
#include <errno.h>
#include <string.h>

#include "common/store/store_mongo_doc.h"
#include "common/store/store_mongo.h"

static bool take_row(struct mongo_job *job, const struct message *m, void *arg)
{
	(void)arg;
	store_rows_add(&job->op->rows, m, 0);
	return true;
}

static bool take_of_page(struct mongo_job *job, const struct message *m, void *arg)
{
	size_t *content = arg;

	store_rows_add(&job->op->rows, m, 0);
	*content += m->content.n;
	return job->op->page->bytes == 0 || *content < job->op->page->bytes;
}

int mongo_op_due(struct mongo_job *job, mongoc_collection_t *c)
{
	static const char *const index[] = { "owe", NULL };
	bson_t *filter = BCON_NEW("owe", "{", "$gte", BCON_INT64(1), "$lte",
				  BCON_INT64(job->op->now_us), "}",
				  "deliveredAt", BCON_NULL, "pos", "{", "$gte",
				  BCON_INT64(1), "}");
	const struct mongo_query q = { .filter = filter, .index = index,
				       .order = index,
				       .limit = job->op->limit };
	int err;

	mongo_filter_messages(filter);
	err = mongo_find(job, c, &q, take_row, NULL);
	bson_destroy(filter);
	return err;
}

/* Most of a user's newest rows are read: they stay on the server. */
static bson_t *unread_pipeline(const char *user_id)
{
	bson_t match = BSON_INITIALIZER, sort = BSON_INITIALIZER;
	bson_t *pipeline;

	BCON_APPEND(&match, "recipientId", BCON_UTF8(user_id), "pos", "{",
		    "$gte", BCON_INT64(1), "}");
	mongo_filter_messages(&match);
	BCON_APPEND(&sort, "recipientId", BCON_INT32(-1), "pos",
		    BCON_INT32(-1));
	pipeline = BCON_NEW("pipeline", "[",
			    "{", "$match", BCON_DOCUMENT(&match), "}",
			    "{", "$sort", BCON_DOCUMENT(&sort), "}",
			    "{", "$limit", BCON_INT64(STORE_UNREAD_SCAN), "}",
			    "{", "$match", "{", "readAt", BCON_NULL, "}", "}",
			    "{", "$project", "{", "matchId", BCON_INT32(1),
			    "pos", BCON_INT32(1), "}", "}", "]");
	bson_destroy(&match);
	bson_destroy(&sort);
	return pipeline;
}

int mongo_op_unread(struct mongo_job *job, mongoc_collection_t *c)
{
	static const char *const index[] = { "recipientId", "pos", NULL };
	bson_t opts, *pipeline;
	int err = mongo_read_opts(job, index, &opts);

	if (err != 0)
		return err;
	BSON_APPEND_INT32(&opts, "batchSize", STORE_UNREAD_SCAN + 1);
	pipeline = unread_pipeline(job->op->user_id);
	err = mongo_take(job,
			 mongoc_collection_aggregate(c, MONGOC_QUERY_NONE,
						     pipeline, &opts, NULL),
			 take_row, NULL);
	bson_destroy(pipeline);
	bson_destroy(&opts);
	return err;
}

/* A bound of a page, exclusive. */
struct edge {
	bool set;
	bool exact;		/* at_ms is that of the row with this id */
	int64_t at_ms;
	bson_oid_t id;
};

static bool take_edge(struct mongo_job *job, const struct message *m, void *arg)
{
	struct edge *e = arg;

	(void)job;
	e->set = true;
	e->at_ms = m->sent_at_ms;
	return true;
}

static int find_edge(struct mongo_job *job, mongoc_collection_t *c,
		     const struct store_bound *b, struct edge *out)
{
	static const char *const index[] = { "_id", NULL };
	bson_t filter = BSON_INITIALIZER;
	const struct mongo_query q = { .filter = &filter, .index = index,
				       .order = index, .limit = 1 };
	int err;

	*out = (struct edge){ .set = b->at_ms != 0, .at_ms = b->at_ms };
	if (b->id[0] == '\0')
		return 0;
	if (!bson_oid_is_valid(b->id, strlen(b->id)))
		return -ENOENT;
	*out = (struct edge){ .exact = true };
	bson_oid_init_from_string(&out->id, b->id);
	BSON_APPEND_OID(&filter, "_id", &out->id);
	BSON_APPEND_UTF8(&filter, "matchId", job->op->page->match_id);
	err = mongo_find(job, c, &q, take_edge, out);
	bson_destroy(&filter);
	if (err == 0 && !out->set)
		err = -ENOENT;
	return err;
}

/* A row of the very time of the other, and beyond it by its id. */
static void append_beyond(bson_t *nor, const char *key, const struct edge *e,
			  const char *op)
{
	BCON_APPEND(nor, key, "{", "sentAt", BCON_DATE_TIME(e->at_ms), "_id",
		    "{", op, BCON_OID(&e->id), "}", "}");
}

/* A row without a date has no place in the order. */
static void filter_between(bson_t *f, const struct edge *after,
			   const struct edge *before)
{
	bson_t at, nor;

	BSON_APPEND_DOCUMENT_BEGIN(f, "sentAt", &at);
	if (after->set && !after->exact)
		BSON_APPEND_DATE_TIME(&at, "$gt", after->at_ms);
	else
		BSON_APPEND_DATE_TIME(&at, "$gte", after->at_ms);
	if (before->set && !before->exact)
		BSON_APPEND_DATE_TIME(&at, "$lt", before->at_ms);
	else if (before->set)
		BSON_APPEND_DATE_TIME(&at, "$lte", before->at_ms);
	bson_append_document_end(f, &at);
	if (!after->exact && !before->exact)
		return;
	BSON_APPEND_ARRAY_BEGIN(f, "$nor", &nor);
	if (after->exact)
		append_beyond(&nor, "0", after, "$lte");
	if (before->exact)
		append_beyond(&nor, after->exact ? "1" : "0", before, "$gte");
	bson_append_array_end(f, &nor);
}

static int find_page(struct mongo_job *job, mongoc_collection_t *c,
		     struct mongo_query *q)
{
	const struct store_page *p = job->op->page;
	struct store_rows *r = &job->op->rows;

	for (;;) {
		size_t content = 0;
		int err = mongo_find(job, c, q, take_of_page, &content);

		if (err != 0 || r->n < q->limit || q->limit == p->limit ||
		    content >= p->bytes)
			return err;
		q->limit = mongo_rows_next(p->limit, p->bytes, r->n, content);
		store_rows_free(r);
	}
}

int mongo_op_history(struct mongo_job *job, mongoc_collection_t *c)
{
	static const char *const index[] = { "matchId", "sentAt", "_id", NULL };
	const struct store_page *p = job->op->page;
	bson_t filter = BSON_INITIALIZER;
	struct mongo_query q = { .filter = &filter, .index = index,
				 .order = index + 1,
				 .limit = mongo_rows_first(p->limit, p->bytes) };
	struct edge after, before;
	int err = find_edge(job, c, &p->after, &after);

	if (err == 0)
		err = find_edge(job, c, &p->before, &before);
	if (err != 0)
		return err;
	q.falling = !after.set;
	BSON_APPEND_UTF8(&filter, "matchId", p->match_id);
	filter_between(&filter, &after, &before);
	mongo_filter_messages(&filter);
	err = find_page(job, c, &q);
	bson_destroy(&filter);
	return err;
}
