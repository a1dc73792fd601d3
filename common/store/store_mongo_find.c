/* Reads, on a thread: how each begins and ends. */
#include <errno.h>

#include "common/base/clock.h"
#include "common/store/store_mongo_doc.h"
#include "common/store/store_mongo.h"

int mongo_take(struct mongo_job *job, mongoc_cursor_t *cur, mongo_each *each,
	       void *arg)
{
	const bson_t *doc;
	bool failed;

	while (mongoc_cursor_next(cur, &doc)) {
		struct mongo_row r;

		if (mongo_doc_read(doc, &r) != 0)
			continue;
		each(job, &r.m, arg);
		mongo_row_free(&r);
	}
	failed = mongoc_cursor_error(cur, &job->error);
	mongoc_cursor_destroy(cur);
	return failed ? mongo_errno(&job->error) : 0;
}

void mongo_append_keys(bson_t *doc, const char *name, const char *const *keys,
		       int dir, bool then_id)
{
	bson_t sub;

	BSON_APPEND_DOCUMENT_BEGIN(doc, name, &sub);
	for (; *keys != NULL; keys++)
		BSON_APPEND_INT32(&sub, *keys, dir);
	if (then_id)
		BSON_APPEND_INT32(&sub, "_id", dir);
	bson_append_document_end(doc, &sub);
}

/* The server gives up when nobody waits any more: it would go on reading for
 * nothing, and the thread with it. */
int mongo_read_opts(struct mongo_job *job, const char *const *index,
		    bson_t *out)
{
	int64_t left_ms = (job->op->due_us - clock_mono_us()) / 1000;

	if (left_ms <= 0)
		return -ETIMEDOUT;
	bson_init(out);
	mongoc_read_concern_append(job->be->majority, out);
	BSON_APPEND_INT64(out, "maxTimeMS", left_ms);
	mongo_append_keys(out, "hint", index, 1, false);
	return 0;
}

/* Whatever another program keeps under some other kind of _id is no message,
 * and must not count against a limit. */
void mongo_filter_messages(bson_t *filter)
{
	bson_oid_t least = { { 0 } };
	bson_t id;

	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &id);
	BSON_APPEND_OID(&id, "$gte", &least);
	bson_append_document_end(filter, &id);
}

int mongo_find(struct mongo_job *job, mongoc_collection_t *c,
	       const struct mongo_query *q, mongo_each *each, void *arg)
{
	bson_t opts;
	int err = mongo_read_opts(job, q->index, &opts);

	if (err != 0)
		return err;
	mongo_append_keys(&opts, "sort", q->order, q->falling ? -1 : 1,
			  q->then_id);
	BSON_APPEND_INT64(&opts, "limit", q->limit);
	/* One more than can come: all in one reply, and no cursor stays open. */
	BSON_APPEND_INT32(&opts, "batchSize", (int32_t)q->limit + 1);
	err = mongo_take(job,
			 mongoc_collection_find_with_opts(c, q->filter, &opts,
							  NULL),
			 each, arg);
	bson_destroy(&opts);
	return err;
}
