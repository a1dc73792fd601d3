#include "common/store/store_mongo.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/loop/jobs.h"

#define OP_THREADS 2
#define PROBE_MS 1000
#define REINDEX_MS 200
#define DEFAULT_DB "pairwire"

/* The driver's own limits are made for batch programs; a chat's user waits.
 * What the URL says goes first. */
#define SELECT_MS 3000
#define CONNECT_MS 2000
#define SOCKET_MS 10000
#define WTIMEOUT_MS 5000

static void on_driver_log(mongoc_log_level_t level, const char *domain,
			  const char *text, void *arg)
{
	(void)level;
	(void)arg;
	log_debug("store: driver domain=%s text=\"%s\"", domain, text);
}

static void driver_init(void)
{
	mongoc_log_set_handler(on_driver_log, NULL);
	mongoc_init();
}

static bool code_in(uint32_t code, const uint32_t *codes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (codes[i] == code)
			return true;
	return false;
}

int mongo_errno(const bson_error_t *e)
{
	/* Not primary, node recovering, network: the server selection and
	 * retryable write lists of MongoDB's driver specifications. */
	static const uint32_t gone[] = { 6,   7,   89,	  91,	189,
					 262, 9001, 10058, 10107, 11600,
					 11602, 13435, 13436 };
	/* BadValue, FailedToParse, TypeMismatch, InvalidBSON,
	 * DocumentValidationFailure, BSONObjectTooLarge, KeyTooLong */
	static const uint32_t unsuitable[] = { 2,   9,	   14,	 22,
					       121, 10334, 17280 };
	const uint32_t out_of_time = 50;	/* MaxTimeMSExpired */

	switch (e->domain) {
	case MONGOC_ERROR_SERVER_SELECTION:
		return -ENOTCONN;
	case MONGOC_ERROR_STREAM:
		return -ECONNRESET;
	case MONGOC_ERROR_WRITE_CONCERN:
		return -ETIMEDOUT;
	case MONGOC_ERROR_SERVER:
		if (code_in(e->code, gone, ARRAY_SIZE(gone)))
			return -ECONNRESET;
		if (code_in(e->code, unsuitable, ARRAY_SIZE(unsuitable)))
			return -EINVAL;
		return e->code == out_of_time ? -ETIMEDOUT : -EREMOTEIO;
	default:
		return -EREMOTEIO;
	}
}

static bool has_elements(const bson_t *reply, const char *key)
{
	bson_iter_t it, e;

	return bson_iter_init_find(&it, reply, key) &&
	       (BSON_ITER_HOLDS_ARRAY(&it) || BSON_ITER_HOLDS_DOCUMENT(&it)) &&
	       bson_iter_recurse(&it, &e) && bson_iter_next(&e);
}

int mongo_write_result(struct mongo_job *job, bool ok, const bson_t *reply,
		       const bson_error_t *error)
{
	job->error = *error;
	if (has_elements(reply, "writeConcernErrors") ||
	    has_elements(reply, "writeConcernError")) {
		job->lagging = true;
		return -ETIMEDOUT;
	}
	return ok ? 0 : mongo_errno(error);
}

static void lost(struct store_mongo *be, const char *why);

/* One line for each new reason of an outage. */
static void log_outage(struct store_mongo *be, const char *what,
		       const char *why)
{
	char reason[sizeof(be->reason)];

	snprintf(reason, sizeof(reason), "%s", why);
	reason[strcspn(reason, "\r\n")] = '\0';
	if (strcmp(reason, be->reason) == 0)
		return;
	memcpy(be->reason, reason, sizeof(reason));
	log_warn("store: MongoDB %s reason=\"%s\"", what, reason);
}

static bool op_writes(const struct store_op *op)
{
	return op->kind == OP_DELIVERED || op->kind == OP_READ ||
	       op->kind == OP_SET_OWE;
}

static void note_majority(struct store_mongo *be, const struct mongo_job *job)
{
	bool wrote = job->batch != NULL ||
		     (job->op != NULL && op_writes(job->op));

	if (!wrote || job->lagging == be->lagging ||
	    (!job->lagging && job->err != 0))
		return;
	be->lagging = job->lagging;
	if (job->lagging)
		log_warn("store: writes are not confirmed by the majority in "
			 "time text=\"%s\"",
			 job->error.message);
	else
		log_info("store: the majority confirms writes again");
}

/* These commands are always well formed: it is the index they name that is
 * missing, dropped by hand or with its collection. It is made anew by a probe,
 * a moment later, lest each such answer starts one. */
static void note_index(struct store_mongo *be, const struct mongo_job *job)
{
	if (job->err != -EINVAL || job->op == NULL || op_writes(job->op) ||
	    !be->indexed)
		return;
	if (be->complaint != job->error.code)
		log_err("store: MongoDB refuses to read, its indexes are looked "
			"at anew code=%u text=\"%s\"",
			job->error.code, job->error.message);
	be->complaint = job->error.code;
	be->indexed = false;
	if (!be->probing)
		timer_arm(&be->probe, REINDEX_MS);
}

static void note_health(struct store_mongo *be, const struct mongo_job *job)
{
	note_majority(be, job);
	note_index(be, job);
	if (job->err == -EREMOTEIO && be->complaint != job->error.code) {
		be->complaint = job->error.code;
		log_err("store: MongoDB refuses code=%u text=\"%s\"",
			job->error.code, job->error.message);
	}
	/* The server's text on a row may quote it. */
	if (job->row_code != 0 && be->complaint != job->row_code) {
		be->complaint = job->row_code;
		log_err("store: MongoDB refuses rows code=%u", job->row_code);
	}
	if (job->err == -ENOTCONN || job->err == -ECONNRESET)
		lost(be, job->error.message);
	else if (job->err == 0 && job->row_code == 0 && be->indexed)
		be->complaint = 0;
}

static void run_job(void *arg)
{
	struct mongo_job *job = arg;
	struct store_mongo *be = job->be;
	mongoc_client_t *client = mongoc_client_pool_pop(be->pool);
	mongoc_collection_t *c =
		mongoc_client_get_collection(client, be->db, MONGO_COLLECTION);

	if (job->batch != NULL)
		mongo_insert_run(job, c);
	else
		mongo_op_run(job, c);
	mongoc_collection_destroy(c);
	mongoc_client_pool_push(be->pool, client);
}

static void job_done(void *arg)
{
	struct mongo_job *job = arg;
	int err = job->err;

	if (err != -ECANCELED)
		note_health(job->be, job);
	/* Of what was sent the rows' states tell. */
	if (job->batch != NULL)
		store_batch_done(job->batch, err == -EINVAL ||
						     err == -ENOTCONN ||
						     err == -ECANCELED ?
						     err : 0);
	else
		store_op_done(job->op, err);
	free(job);
}

static struct mongo_job *job_new(struct store_mongo *be)
{
	struct mongo_job *job = mem_zalloc(sizeof(*job));

	job->be = be;
	job->err = -ECANCELED;	/* what it stays if no thread runs it */
	return job;
}

static void mongo_insert(void *arg, struct store_batch *b)
{
	struct store_mongo *be = arg;
	struct mongo_job *job;

	if (!be->up) {
		store_batch_done(b, -ENOTCONN);
		return;
	}
	job = job_new(be);
	job->batch = b;
	jobs_submit(be->insert_jobs, run_job, job_done, job);
}

static void mongo_run(void *arg, struct store_op *op)
{
	struct store_mongo *be = arg;
	struct mongo_job *job;

	if (!be->up) {
		store_op_done(op, -ENOTCONN);
		return;
	}
	job = job_new(be);
	job->op = op;
	jobs_submit(be->op_jobs, run_job, job_done, job);
}

static void set_up(struct store_mongo *be, bool up, const char *why)
{
	if (be->up == up)
		return;
	be->up = up;
	if (up) {
		be->reason[0] = '\0';
		log_info("store: MongoDB is there");
	} else {
		log_outage(be, "is lost", why);
	}
	be->state(be->arg, up);
}

static void run_probe(void *arg)
{
	struct mongo_job *job = arg;
	struct store_mongo *be = job->be;
	mongoc_client_t *client = mongoc_client_pool_pop(be->pool);
	bson_t *ping = BCON_NEW("ping", BCON_INT32(1));
	bool ok = mongoc_client_read_command_with_opts(
		client, "admin", ping, NULL, NULL, NULL, &job->error);

	if (ok && job->index)
		ok = mongo_make_indexes(job, client);
	job->err = ok ? 0 : mongo_errno(&job->error);
	bson_destroy(ping);
	mongoc_client_pool_push(be->pool, client);
}

static void probe_done(void *arg)
{
	struct mongo_job *job = arg;
	struct store_mongo *be = job->be;

	be->probing = false;
	if (job->err == 0) {
		be->indexed |= job->index;
		if (be->indexed)
			set_up(be, true, "");
		else	/* found missing since the probe began */
			timer_arm(&be->probe, REINDEX_MS);
	} else if (!be->closing) {
		note_health(be, job);
		if (!be->up && job->err != -EREMOTEIO)	/* that was logged */
			log_outage(be, "cannot be reached, trying on",
				   job->error.message);
		timer_arm(&be->probe, PROBE_MS);
	}
	free(job);
}

static void probe(void *arg)
{
	struct store_mongo *be = arg;
	struct mongo_job *job;

	if (be->probing || be->closing)
		return;
	be->probing = true;
	timer_disarm(&be->probe);
	job = job_new(be);
	job->index = !be->indexed;
	jobs_submit(be->op_jobs, run_probe, probe_done, job);
}

/* The server may be back before anybody notices: asked at once, then each
 * second. */
static void lost(struct store_mongo *be, const char *why)
{
	bool was = be->up;

	if (be->closing)
		return;
	be->indexed = false;	/* another server may answer next */
	set_up(be, false, why);
	if (was)
		probe(be);
}

static void option(mongoc_uri_t *uri, const char *name, unsigned ms)
{
	if (!mongoc_uri_has_option(uri, name))
		mongoc_uri_set_option_as_int32(uri, name, (int32_t)ms);
}

static unsigned at_most(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void set_options(mongoc_uri_t *uri,
			const struct message_store_conf *conf)
{
	unsigned t = conf->timeout_ms;
	mongoc_read_prefs_t *primary;

	option(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, at_most(t, SELECT_MS));
	option(uri, MONGOC_URI_CONNECTTIMEOUTMS, at_most(t, CONNECT_MS));
	option(uri, MONGOC_URI_SOCKETTIMEOUTMS, at_most(t, SOCKET_MS));
	if (!mongoc_uri_has_option(uri, MONGOC_URI_APPNAME))
		mongoc_uri_set_appname(uri, conf->name);
	/* What was written a moment ago is looked for, here and by who asks:
	 * a secondary may not have it yet, whatever the URL says. */
	primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
	mongoc_uri_set_read_prefs_t(uri, primary);
	mongoc_read_prefs_destroy(primary);
}

static void make_concerns(struct store_mongo *be, const mongoc_uri_t *uri,
			  unsigned timeout_ms)
{
	int32_t wtimeout = mongoc_uri_get_option_as_int32(
		uri, MONGOC_URI_WTIMEOUTMS, 0);

	if (wtimeout <= 0)
		wtimeout = (int32_t)at_most(timeout_ms / 2 + 1, WTIMEOUT_MS);
	be->durable = mongoc_write_concern_new();
	mongoc_write_concern_set_wmajority(be->durable, wtimeout);
	be->majority = mongoc_read_concern_new();
	mongoc_read_concern_set_level(be->majority,
				      MONGOC_READ_CONCERN_LEVEL_MAJORITY);
}

static void *mongo_open(struct loop *l, const struct message_store_conf *conf,
			void (*state)(void *arg, bool up), void *arg,
			char err[256])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bson_error_t error;
	mongoc_client_pool_t *pool;
	mongoc_uri_t *uri;
	struct store_mongo *be;
	const char *db;

	pthread_once(&once, driver_init);
	/* The driver's texts quote what they dislike, be it the password. */
	uri = mongoc_uri_new_with_error(conf->url, &error);
	if (uri == NULL) {
		snprintf(err, 256, "the message store's URL is not one of "
				   "MongoDB: percent-encode user and password");
		return NULL;
	}
	set_options(uri, conf);
	pool = mongoc_client_pool_new_with_error(uri, &error);
	if (pool == NULL) {
		snprintf(err, 256, "the message store's URL asks for what is "
				   "not to be had: check its SRV name and its "
				   "TLS options and files");
		mongoc_uri_destroy(uri);
		return NULL;
	}
	mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
	mongoc_client_pool_max_size(pool, conf->lanes + OP_THREADS);
	be = mem_zalloc(sizeof(*be));
	be->pool = pool;
	db = mongoc_uri_get_database(uri);
	be->db = mem_strdup(db != NULL ? db : DEFAULT_DB);
	make_concerns(be, uri, conf->timeout_ms);
	mongoc_uri_destroy(uri);
	be->loop = l;
	be->state = state;
	be->arg = arg;
	be->insert_jobs = jobs_new(l, conf->lanes);
	be->op_jobs = jobs_new(l, OP_THREADS);
	timer_init(&be->probe, l, probe, be);
	probe(be);
	return be;
}

static void mongo_close(void *arg)
{
	struct store_mongo *be = arg;

	be->closing = true;
	jobs_free(&be->insert_jobs);
	jobs_free(&be->op_jobs);
	timer_free(&be->probe);
	mongoc_client_pool_destroy(be->pool);
	mongoc_write_concern_destroy(be->durable);
	mongoc_read_concern_destroy(be->majority);
	free(be->db);
	free(be);
}

const struct store_backend store_mongo = {
	.open = mongo_open,
	.close = mongo_close,
	.insert = mongo_insert,
	.run = mongo_run,
};
