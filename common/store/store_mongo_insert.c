/* A batch of inserts, on a thread (design M3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/store_mongo_doc.h"
#include "common/store/store_mongo.h"

#define CODE_DUPLICATE_KEY 11000
#define READ_BACK_MS_MIN 10
#define READ_BACK_MS_MAX 200

/* The batch's rows by their place in the bulk: those that cannot be
 * a document are not in it. */
struct bulk {
	mongoc_bulk_operation_t *op;
	size_t *row;
	size_t n;
};

static int by_pos(const void *a, const void *b)
{
	const struct store_row *const *x = a, *const *y = b;

	if ((*x)->m->pos != (*y)->m->pos)
		return (*x)->m->pos < (*y)->m->pos ? -1 : 1;
	return strcmp((*x)->m->id, (*y)->m->id);
}

/* The server inserts them one after the other, and whoever reads meanwhile may
 * see the first of them only. In order of pos, so that a device that is given
 * the later messages of a stream was given those before them (M6). */
static void bulk_fill(struct bulk *b, struct store_batch *batch)
{
	bson_t opts = BSON_INITIALIZER;
	struct store_row **order = mem_alloc(batch->n * sizeof(order[0]));

	for (size_t i = 0; i < batch->n; i++)
		order[i] = &batch->rows[i];
	qsort(order, batch->n, sizeof(order[0]), by_pos);
	BSON_APPEND_BOOL(&opts, "validate", false);	/* done by our own */
	b->row = mem_alloc(batch->n * sizeof(b->row[0]));
	for (size_t i = 0; i < batch->n; i++) {
		struct store_row *row = order[i];
		bson_error_t error;
		bson_t doc;

		if (mongo_doc_write(row->m, &doc) != 0) {
			row->state = ROW_REFUSED;
			continue;
		}
		if (mongoc_bulk_operation_insert_with_opts(b->op, &doc, &opts,
							   &error))
			b->row[b->n++] = (size_t)(row - batch->rows);
		else
			row->state = ROW_REFUSED;
		bson_destroy(&doc);
	}
	bson_destroy(&opts);
	free(order);
}

/* A unique index of the app's own is no reason to look for our row. */
static bool other_index(const bson_t *write_error)
{
	bson_iter_t it, key;

	return bson_iter_init_find(&it, write_error, "keyPattern") &&
	       BSON_ITER_HOLDS_DOCUMENT(&it) && bson_iter_recurse(&it, &key) &&
	       bson_iter_next(&key) && strcmp(bson_iter_key(&key), "_id") != 0;
}

/* Only what is wrong with the row itself refuses it: for all else - no right
 * to write, no room, a code of tomorrow - sending it again may help. */
static enum store_row_state error_state(struct mongo_job *job,
					const bson_t *write_error)
{
	bson_iter_t it;
	bson_error_t e = { .domain = MONGOC_ERROR_SERVER };

	if (bson_iter_init_find(&it, write_error, "code"))
		e.code = (uint32_t)bson_iter_as_int64(&it);
	if (e.code == CODE_DUPLICATE_KEY)
		return other_index(write_error) ? ROW_REFUSED : ROW_PRESENT;
	if (mongo_errno(&e) == -EINVAL)
		return ROW_REFUSED;
	job->row_code = e.code;
	return ROW_FAILED;
}

/* Marks the rows that the server named; returns how many. */
static size_t mark_errors(struct mongo_job *job, const struct bulk *b,
			  const bson_t *reply)
{
	struct store_batch *batch = job->batch;
	bson_iter_t it, e;
	size_t n = 0;

	if (!bson_iter_init_find(&it, reply, "writeErrors") ||
	    !BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &e))
		return 0;
	while (bson_iter_next(&e)) {
		const uint8_t *data;
		uint32_t len;
		bson_t doc;
		bson_iter_t index;
		int64_t k;

		if (!BSON_ITER_HOLDS_DOCUMENT(&e))
			continue;
		bson_iter_document(&e, &len, &data);
		if (!bson_init_static(&doc, data, len) ||
		    !bson_iter_init_find(&index, &doc, "index"))
			continue;
		k = bson_iter_as_int64(&index);
		if (k < 0 || (size_t)k >= b->n)
			continue;
		batch->rows[b->row[k]].state = error_state(job, &doc);
		/* Told apart from rows that nothing was said of, below. */
		b->row[k] = SIZE_MAX;
		n++;
	}
	return n;
}

static int64_t count_inserted(const bson_t *reply)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, reply, "nInserted") ?
		       bson_iter_as_int64(&it) :
		       0;
}

/* Rows the server did not name stay unknown unless all went well. ROW_PRESENT
 * now means: met a row of the same id that is still to be read. */
static int bulk_run(struct mongo_job *job, struct bulk *b)
{
	struct store_batch *batch = job->batch;
	bson_error_t error = { 0 };
	bson_t reply;
	bool ok = mongoc_bulk_operation_execute(b->op, &reply, &error) != 0;
	size_t nerrors = mark_errors(job, b, &reply);
	int64_t inserted = count_inserted(&reply);
	int err;

	/* With every row accounted for, the top-level error only repeats one
	 * of the rows'. */
	if (!ok && (size_t)inserted + nerrors == b->n)
		ok = true;
	err = mongo_write_result(job, ok, &reply, &error);
	bson_destroy(&reply);
	for (size_t k = 0; k < b->n && err == 0; k++)
		if (b->row[k] != SIZE_MAX)
			batch->rows[b->row[k]].state = ROW_STORED;
	return err;
}

static struct store_row *find_row(struct store_batch *b, const char *id)
{
	for (size_t lo = 0, hi = b->n; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(id, b->rows[mid].m->id);

		if (c == 0)
			return &b->rows[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static size_t missing_filter(const struct store_batch *batch, bson_t *filter)
{
	bson_t id, in;
	size_t n = 0;

	BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &id);
	BSON_APPEND_ARRAY_BEGIN(&id, "$in", &in);
	for (size_t i = 0; i < batch->n; i++) {
		const struct store_row *row = &batch->rows[i];
		char key[16];
		const char *k;
		bson_oid_t oid;

		if (row->state != ROW_PRESENT || row->found != NULL)
			continue;
		bson_uint32_to_string((uint32_t)n, &k, key, sizeof(key));
		bson_oid_init_from_string(&oid, row->m->id);
		BSON_APPEND_OID(&in, k, &oid);
		n++;
	}
	bson_append_array_end(&id, &in);
	bson_append_document_end(filter, &id);
	return n;
}

static bool read_once(struct mongo_job *job, mongoc_collection_t *c,
		      const bson_t *filter, size_t *found_out)
{
	bson_t opts = BSON_INITIALIZER;
	const bson_t *doc;
	mongoc_cursor_t *cur;
	bool ok;

	*found_out = 0;
	mongoc_read_concern_append(job->be->majority, &opts);
	cur = mongoc_collection_find_with_opts(c, filter, &opts, NULL);
	while (mongoc_cursor_next(cur, &doc)) {
		struct mongo_row r;
		struct store_row *row;

		if (mongo_doc_read(doc, &r) != 0)
			continue;
		row = find_row(job->batch, r.m.id);
		if (row != NULL && row->state == ROW_PRESENT &&
		    row->found == NULL) {
			row->found = message_dup(&r.m);
			++*found_out;
		}
		mongo_row_free(&r);
	}
	ok = !mongoc_cursor_error(cur, &job->error);
	mongoc_cursor_destroy(cur);
	bson_destroy(&opts);
	return ok;
}

/* The row of the same id may not have reached the majority yet: until it has,
 * it could still vanish, and with it the message we would call stored. */
static void read_present(struct mongo_job *job, mongoc_collection_t *c)
{
	int64_t wait_ms = READ_BACK_MS_MIN;

	for (;;) {
		bson_t filter = BSON_INITIALIZER;
		size_t want = missing_filter(job->batch, &filter), found = 0;
		bool ok = want == 0 || read_once(job, c, &filter, &found);

		bson_destroy(&filter);
		if (!ok || found == want ||
		    clock_mono_us() + wait_ms * 1000 > job->batch->due_us)
			break;
		usleep((useconds_t)wait_ms * 1000);
		wait_ms = wait_ms * 2 < READ_BACK_MS_MAX ? wait_ms * 2 :
							   READ_BACK_MS_MAX;
	}
	for (size_t i = 0; i < job->batch->n; i++) {
		struct store_row *row = &job->batch->rows[i];

		if (row->state == ROW_PRESENT && row->found == NULL)
			row->state = ROW_UNKNOWN;
	}
}

void mongo_insert_run(struct mongo_job *job, mongoc_collection_t *c)
{
	bson_t opts = BSON_INITIALIZER;
	struct bulk b = { 0 };

	BSON_APPEND_BOOL(&opts, "ordered", false);
	mongoc_write_concern_append(job->be->durable, &opts);
	b.op = mongoc_collection_create_bulk_operation_with_opts(c, &opts);
	bson_destroy(&opts);
	bulk_fill(&b, job->batch);
	job->err = b.n > 0 ? bulk_run(job, &b) : 0;
	mongoc_bulk_operation_destroy(b.op);
	free(b.row);
	if (job->err != -EINVAL)
		read_present(job, c);
}
