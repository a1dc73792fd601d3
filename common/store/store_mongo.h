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

/* On a thread. False with job->error set. */
bool mongo_make_indexes(struct mongo_job *job, mongoc_client_t *client);

/* 0 for a write whose command was carried out: reply says so and its write
 * concern was met. Otherwise what to tell the store, with the details noted
 * in the job. */
int mongo_write_result(struct mongo_job *job, bool ok, const bson_t *reply,
		       const bson_error_t *error);
/* -EINVAL: a value in the command is not storable. -ENOTCONN: never sent.
 * -ECONNRESET: the connection was lost or the server is going away.
 * -ETIMEDOUT: not confirmed by the majority in time. -EREMOTEIO: refused. */
int mongo_errno(const bson_error_t *error);

#endif
