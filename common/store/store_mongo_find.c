/* Reads, on a thread: how each begins and ends. */
#include <errno.h>

#include "common/base/clock.h"
#include "common/store/store_mongo_doc.h"
#include "common/store/store_mongo.h"

#define FIRST_ROWS 8

int mongo_take(struct mongo_job *job, mongoc_cursor_t *cur, mongo_each *each,
	       void *arg)
{
	const bson_t *doc;
	bool failed, more = true;

	while (more && mongoc_cursor_next(cur, &doc)) {
		struct mongo_row r;

		if (mongo_doc_read(doc, &r) != 0)
			continue;
		more = each(job, &r.m, arg);
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

unsigned mongo_rows_first(unsigned limit, size_t bytes)
{
	return bytes == 0 || limit < FIRST_ROWS ? limit : FIRST_ROWS;
}

unsigned mongo_rows_next(unsigned limit, size_t bytes, size_t n, size_t content)
{
	size_t like_these = bytes / (content / n + 1) + 1;

	if (like_these < 2 * n)
		like_these = 2 * n;
	return like_these < limit ? (unsigned)like_these : limit;
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
	if (q->without_content)
		BCON_APPEND(&opts, "projection", "{", "content", BCON_INT32(0),
			    "}");
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
