/* The MongoDB backend's own parts. Internal to common/store. The driver
 * blocks, so it runs on threads: one for each lane's batch, two for all else. */
#ifndef PW_STORE_MONGO_H
#define PW_STORE_MONGO_H

#include <mongoc/mongoc.h>

#include "common/loop/loop.h"
#include "common/store/store_backend.h"

struct jobs;

#define MONGO_COLLECTION "messages"

struct store_mongo {
	/* Read by the threads; fixed after open. */
	mongoc_client_pool_t *pool;
	char *db;
	mongoc_write_concern_t *durable;	/* majority, with wtimeout */
	mongoc_read_concern_t *majority;
	/* The loop's own. */
	struct loop *loop;
	struct jobs *insert_jobs;
	struct jobs *op_jobs;
	void (*state)(void *arg, bool up);
	void *arg;
	bool up;
	bool indexed;		/* the indexes were made, as far as we know */
	bool probing;
	bool closing;
	bool lagging;		/* logged: the majority does not keep up */
	uint32_t complaint;	/* code logged last; 0 once all is well */
	char reason[192];	/* of this outage, logged last; "" when up */
	struct timer probe;
};

/* One piece of work for a thread. The thread writes err and what
 * follows it. */
struct mongo_job {
	struct store_mongo *be;
	struct store_batch *batch;	/* an insert */
	struct store_op *op;		/* or another operation */
	bool index;		/* or a probe: make the indexes, too */
	int err;
	uint32_t row_code;	/* of a row that failed through no fault of its
				 * own; 0: none */
	bool lagging;		/* a write concern was not met in time */
	bson_error_t error;	/* what the driver said, if anything */
};

/* On a thread; each sets job->err. After an insert the rows' states are set
 * unless that is -EINVAL. */
void mongo_insert_run(struct mongo_job *job, mongoc_collection_t *c);
void mongo_op_run(struct mongo_job *job, mongoc_collection_t *c);

/* Each one kind of operation, for mongo_op_run(): 0 or what job->err is to
 * be. */
int mongo_op_missed(struct mongo_job *job, mongoc_collection_t *c);
int mongo_op_receipts(struct mongo_job *job, mongoc_collection_t *c);
int mongo_op_missed_count(struct mongo_job *job, mongoc_collection_t *c);
int mongo_op_due(struct mongo_job *job, mongoc_collection_t *c);
int mongo_op_unread(struct mongo_job *job, mongoc_collection_t *c);
int mongo_op_history(struct mongo_job *job, mongoc_collection_t *c);
int mongo_op_look(struct mongo_job *job, mongoc_collection_t *c);

/* False: that is enough. */
typedef bool mongo_each(struct mongo_job *job, const struct message *m,
			void *arg);
/* Calls each() for the messages that the cursor has, and destroys it. 0 or
 * mongo_errno(). */
int mongo_take(struct mongo_job *job, mongoc_cursor_t *cur, mongo_each *each,
	       void *arg);
/* One reply's worth of messages. Lists of keys end with NULL. */
struct mongo_query {
	const bson_t *filter;
	const char *const *index;	/* that it is to use: one of ours */
	const char *const *order;
	bool falling;
	bool then_id;		/* and in order of _id at last */
	bool without_content;
	unsigned limit;
};
/* -ETIMEDOUT: nobody waits for it any more. Else as mongo_take(). */
int mongo_find(struct mongo_job *job, mongoc_collection_t *c,
	       const struct mongo_query *q, mongo_each *each, void *arg);
/* How many rows to ask for when so many bytes of content are wanted (0: no bound),
 * limit at most: first, and anew when n rows had less than that. A server sends all
 * it is asked for, and a cursor that is left open has to be closed, which is waited
 * for: it is not used to stop early. */
unsigned mongo_rows_first(unsigned limit, size_t bytes);
unsigned mongo_rows_next(unsigned limit, size_t bytes, size_t n, size_t content);
/* Initialises *out with what every read says: its index, how long it may take,
 * and that what is read is there for good. -ETIMEDOUT: too late, *out
 * untouched. */
int mongo_read_opts(struct mongo_job *job, const char *const *index,
		    bson_t *out) MUST_CHECK;
void mongo_append_keys(bson_t *doc, const char *name, const char *const *keys,
		       int dir, bool then_id);
/* Messages only. */
void mongo_filter_messages(bson_t *filter);

/* On a thread. False with job->error set. */
bool mongo_make_indexes(struct mongo_job *job, mongoc_client_t *client);

/* 0 for a write whose command was carried out: reply says so and its write
 * concern was met. Otherwise what to tell the store, with the details noted
 * in the job. */
int mongo_write_result(struct mongo_job *job, bool ok, const bson_t *reply,
		       const bson_error_t *error);
/* -EINVAL: a value in the command is not storable. -ENOTCONN: never sent.
 * -ECONNRESET: the connection was lost or the server is going away.
 * -ETIMEDOUT: not confirmed by the majority, or not read, in time.
 * -EREMOTEIO: refused. */
int mongo_errno(const bson_error_t *error);

#endif
