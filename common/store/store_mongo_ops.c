/* Receipts, and what is small, on a thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store_mongo_doc.h"
#include "common/store/store_mongo.h"

typedef char message_id[MESSAGE_ID_LEN + 1];

static void append_oid(bson_t *array, size_t i, const char *id)
{
	char key[16];
	const char *k;
	bson_oid_t oid;

	bson_uint32_to_string((uint32_t)i, &k, key, sizeof(key));
	bson_oid_init_from_string(&oid, id);
	BSON_APPEND_OID(array, k, &oid);
}

static void filter_ids(bson_t *filter, const char (*ids)[MESSAGE_ID_LEN + 1],
		       size_t n)
{
	bson_t id, in;

	if (n == 1) {
		bson_oid_t oid;

		bson_oid_init_from_string(&oid, ids[0]);
		BSON_APPEND_OID(filter, "_id", &oid);
		return;
	}
	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &id);
	BSON_APPEND_ARRAY_BEGIN(&id, "$in", &in);
	for (size_t i = 0; i < n; i++)
		append_oid(&in, i, ids[i]);
	bson_append_array_end(&id, &in);
	bson_append_document_end(filter, &id);
}

static int find_each(struct mongo_job *job, mongoc_collection_t *c,
		     const bson_t *filter, const bson_t *opts,
		     mongo_each *each, void *arg)
{
	return mongo_take(job,
			  mongoc_collection_find_with_opts(c, filter, opts,
							   NULL),
			  each, arg);
}

static bool take_sent_at(struct mongo_job *job, const struct message *m,
			 void *arg)
{
	(void)arg;
	job->op->sent_at_ms = m->sent_at_ms;
	return true;
}

/* From the end of the match's history to the first row of this sender; the
 * hint keeps the server from sorting all that the sender ever wrote. */
static int last_sent(struct mongo_job *job, mongoc_collection_t *c)
{
	bson_t *filter = BCON_NEW("matchId", BCON_UTF8(job->op->match_id),
				  "senderId", BCON_UTF8(job->op->sender_id));
	bson_t *opts = BCON_NEW("sort", "{", "sentAt", BCON_INT32(-1), "_id",
				BCON_INT32(-1), "}", "limit", BCON_INT64(1),
				"projection", "{", "sentAt", BCON_INT32(1), "}",
				"hint", "{", "matchId", BCON_INT32(1), "sentAt",
				BCON_INT32(1), "_id", BCON_INT32(1), "}");
	int err = find_each(job, c, filter, opts, take_sent_at, NULL);

	bson_destroy(filter);
	bson_destroy(opts);
	return err;
}

static bool take_row(struct mongo_job *job, const struct message *m, void *arg)
{
	(void)arg;
	store_rows_add(&job->op->rows, m, 0);
	return true;
}

static int get(struct mongo_job *job, mongoc_collection_t *c)
{
	bson_t filter = BSON_INITIALIZER;
	int err;

	filter_ids(&filter, job->op->ids, job->op->nids);
	err = find_each(job, c, &filter, NULL, take_row, NULL);
	bson_destroy(&filter);
	return err;
}

/* A write of one row may be sent again by the driver, of several not. */
static void add_update(mongoc_bulk_operation_t *bulk, size_t nids,
		       const bson_t *filter, const bson_t *update)
{
	bson_error_t error;

	/* Fails only for an update without operators. */
	if (nids == 1)
		(void)mongoc_bulk_operation_update_one_with_opts(
			bulk, filter, update, NULL, &error);
	else
		(void)mongoc_bulk_operation_update_many_with_opts(
			bulk, filter, update, NULL, &error);
}

static int bulk_updates(struct mongo_job *job, mongoc_bulk_operation_t *bulk,
			int64_t *modified_out)
{
	bson_error_t error = { 0 };
	bson_iter_t it;
	bson_t reply;
	bool ok = mongoc_bulk_operation_execute(bulk, &reply, &error) != 0;
	int err = mongo_write_result(job, ok, &reply, &error);

	*modified_out = 0;
	if (bson_iter_init_find(&it, &reply, "nModified"))
		*modified_out = bson_iter_as_int64(&it);
	bson_destroy(&reply);
	return err;
}

static mongoc_bulk_operation_t *bulk_new(struct mongo_job *job,
					 mongoc_collection_t *c, bool ordered)
{
	bson_t opts = BSON_INITIALIZER;
	mongoc_bulk_operation_t *bulk;

	BSON_APPEND_BOOL(&opts, "ordered", ordered);
	mongoc_write_concern_append(job->be->durable, &opts);
	bulk = mongoc_collection_create_bulk_operation_with_opts(c, &opts);
	bson_destroy(&opts);
	return bulk;
}

static int by_owe(const void *a, const void *b)
{
	const struct store_owe *x = a, *y = b;

	return x->owe_us < y->owe_us ? -1 : x->owe_us > y->owe_us;
}

static void add_owe(mongoc_bulk_operation_t *bulk, const struct store_owe *owes,
		    size_t n)
{
	message_id *ids = mem_alloc(n * sizeof(ids[0]));
	bson_t filter = BSON_INITIALIZER;
	bson_t *update = BCON_NEW("$set", "{", "owe",
				  BCON_INT64(owes[0].owe_us), "}");

	for (size_t i = 0; i < n; i++)
		memcpy(ids[i], owes[i].id, sizeof(ids[i]));
	filter_ids(&filter, (const message_id *)ids, n);
	BCON_APPEND(&filter, "deliveredAt", BCON_NULL, "owe", "{", "$ne",
		    BCON_INT64(0), "}");
	add_update(bulk, n, &filter, update);
	bson_destroy(&filter);
	bson_destroy(update);
	free(ids);
}

/* Most are put off to the same time. */
static int set_owe(struct mongo_job *job, mongoc_collection_t *c)
{
	mongoc_bulk_operation_t *bulk = bulk_new(job, c, false);
	const size_t n = job->op->nowes;
	struct store_owe *owes = mem_alloc(n * sizeof(owes[0]));
	int64_t modified;
	int err;

	memcpy(owes, job->op->owes, n * sizeof(owes[0]));
	qsort(owes, n, sizeof(owes[0]), by_owe);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && owes[k].owe_us == owes[i].owe_us; k++)
			;
		add_owe(bulk, &owes[i], k - i);
	}
	free(owes);
	err = bulk_updates(job, bulk, &modified);
	mongoc_bulk_operation_destroy(bulk);
	return err;
}

static void add_delivered(mongoc_bulk_operation_t *bulk,
			  const struct store_confirm *call)
{
	bson_t filter = BSON_INITIALIZER;
	bson_t *update = BCON_NEW("$set", "{", "deliveredAt",
				  BCON_DATE_TIME(call->at_ms), "owe",
				  BCON_INT64(0), "chg", BCON_INT64(call->chg),
				  "}");

	filter_ids(&filter, call->ids, call->n);
	BCON_APPEND(&filter, "recipientId", BCON_UTF8(call->recipient_id),
		    "deliveredAt", BCON_NULL);
	add_update(bulk, call->n, &filter, update);
	bson_destroy(&filter);
	bson_destroy(update);
}

struct confirmed {
	const struct store_confirm_row *rows;	/* in order of id */
	size_t n;
};

/* The row is this call's work if it carries the call's mark. A read from
 * elsewhere may have replaced the mark since, never the time. */
static bool changed_by(const struct store_confirm *call,
		       const struct message *m)
{
	return strcmp(call->recipient_id, m->recipient_id) == 0 &&
	       m->delivered_at_ms == call->at_ms &&
	       (m->chg == call->chg || m->read_at_ms != 0);
}

static bool take_delivered(struct mongo_job *job, const struct message *m,
			   void *arg)
{
	const struct confirmed *done = arg;
	size_t lo = 0, hi = done->n;

	while (lo < hi) {	/* the first entry of this id */
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(done->rows[mid].id, m->id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < done->n && strcmp(done->rows[lo].id, m->id) == 0; lo++) {
		unsigned call = done->rows[lo].call;

		if (changed_by(&job->op->calls[call], m)) {
			store_rows_add(&job->op->rows, m, call);
			return true;
		}
	}
	return true;
}

static bson_t *changed_opts(const struct mongo_job *job)
{
	bson_t *opts = BCON_NEW("projection", "{", "matchId", BCON_INT32(1),
				"senderId", BCON_INT32(1), "recipientId",
				BCON_INT32(1), "src", BCON_INT32(1), "chg",
				BCON_INT32(1), "deliveredAt", BCON_INT32(1),
				"readAt", BCON_INT32(1), "pos", BCON_INT32(1), "}");

	mongoc_read_concern_append(job->be->majority, opts);
	return opts;
}

static int delivered_read_back(struct mongo_job *job, mongoc_collection_t *c)
{
	bson_t filter = BSON_INITIALIZER, id, in;
	bson_t *opts = changed_opts(job);
	struct store_confirm_row *rows;
	struct confirmed done;
	size_t n;
	int err;

	store_confirm_rows(job->op, &rows, &n);
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &id);
	BSON_APPEND_ARRAY_BEGIN(&id, "$in", &in);
	for (size_t i = 0; i < n; i++)
		append_oid(&in, i, rows[i].id);
	bson_append_array_end(&id, &in);
	bson_append_document_end(&filter, &id);
	done = (struct confirmed){ rows, n };
	err = find_each(job, c, &filter, opts, take_delivered, &done);
	free(rows);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err;
}

static int delivered(struct mongo_job *job, mongoc_collection_t *c)
{
	mongoc_bulk_operation_t *bulk = bulk_new(job, c, false);
	int64_t modified;
	int err;

	for (size_t i = 0; i < job->op->ncalls; i++)
		add_delivered(bulk, &job->op->calls[i]);
	err = bulk_updates(job, bulk, &modified);
	mongoc_bulk_operation_destroy(bulk);
	if (err != 0 || modified == 0)
		return err;
	return delivered_read_back(job, c);
}

/* Two updates instead of one with a pipeline, which not every server of this
 * protocol has: first what the read delivers, then the rest. */
static void add_read(mongoc_bulk_operation_t *bulk, const struct store_op *op,
		     bool undelivered)
{
	const struct store_confirm *call = &op->calls[0];
	bson_t filter = BSON_INITIALIZER, set, update = BSON_INITIALIZER;

	filter_ids(&filter, call->ids, call->n);
	BCON_APPEND(&filter, "matchId", BCON_UTF8(op->match_id), "recipientId",
		    BCON_UTF8(call->recipient_id), "readAt", BCON_NULL);
	if (undelivered)
		BCON_APPEND(&filter, "deliveredAt", BCON_NULL);
	else
		BCON_APPEND(&filter, "deliveredAt", "{", "$ne", BCON_NULL, "}");
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
	BSON_APPEND_DATE_TIME(&set, "readAt", call->at_ms);
	if (undelivered)
		BSON_APPEND_DATE_TIME(&set, "deliveredAt", call->at_ms);
	BSON_APPEND_INT64(&set, "owe", 0);
	BSON_APPEND_INT64(&set, "chg", call->chg);
	bson_append_document_end(&update, &set);
	add_update(bulk, call->n, &filter, &update);
	bson_destroy(&filter);
	bson_destroy(&update);
}

static int read_read_back(struct mongo_job *job, mongoc_collection_t *c)
{
	const struct store_confirm *call = &job->op->calls[0];
	bson_t filter = BSON_INITIALIZER;
	bson_t *opts = changed_opts(job);
	int err;

	filter_ids(&filter, call->ids, call->n);
	BCON_APPEND(&filter, "readAt", BCON_DATE_TIME(call->at_ms), "chg",
		    BCON_INT64(call->chg));
	err = find_each(job, c, &filter, opts, take_row, NULL);
	bson_destroy(&filter);
	bson_destroy(opts);
	return err;
}

static int mark_read(struct mongo_job *job, mongoc_collection_t *c)
{
	mongoc_bulk_operation_t *bulk = bulk_new(job, c, true);
	int64_t modified;
	int err;

	add_read(bulk, job->op, true);
	add_read(bulk, job->op, false);
	err = bulk_updates(job, bulk, &modified);
	mongoc_bulk_operation_destroy(bulk);
	if (err != 0 || modified == 0)
		return err;
	return read_read_back(job, c);
}

void mongo_op_run(struct mongo_job *job, mongoc_collection_t *c)
{
	static int (*const run[])(struct mongo_job *, mongoc_collection_t *) = {
		[OP_LAST_SENT] = last_sent,
		[OP_DELIVERED] = delivered,
		[OP_READ] = mark_read,
		[OP_GET] = get,
		[OP_SET_OWE] = set_owe,
		[OP_MISSED] = mongo_op_missed,
		[OP_RECEIPTS] = mongo_op_receipts,
		[OP_MISSED_COUNT] = mongo_op_missed_count,
		[OP_DUE] = mongo_op_due,
		[OP_UNREAD] = mongo_op_unread,
		[OP_HISTORY] = mongo_op_history,
		[OP_LOOK] = mongo_op_look,
	};
	_Static_assert(ARRAY_SIZE(run) == OP__COUNT, "one for each kind");

	job->err = run[job->op->kind](job, c);
}
