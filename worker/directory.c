#include "worker/directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/pg.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "common/loop/loop.h"
#include "worker/directory/coalescer.h"
#include "worker/directory/inspect.h"
#include "worker/directory/listen.h"
#include "worker/directory/peers.h"
#include "worker/directory/row_cache.h"

struct flush {
	struct list node;
	void (*cb)(void *arg, int err);
	void *arg;
};

struct directory {
	struct loop *loop;
	struct pg *pg;
	struct listen *listen;
	struct row_cache *matches, *names;
	struct peers *peers;
	struct coalescer *seen, *message_at;
	struct list flushes;
	struct task flush_done;
	int flush_err;
};

/* The array parameters take the type of the id column, so that an index on it
 * serves whatever type the app has chosen. */
static const struct pg_stmt stmt_matches = {
	.name = "directory_matches",
	.sql = "SELECT id, user_a_id, user_b_id, unmatched_at IS NULL"
	       " FROM matches WHERE id = ANY($1)",
	.nparams = 1,
};
enum { MATCH_A, MATCH_B, MATCH_LIVE, MATCH__COLS };

static const struct pg_stmt stmt_names = {
	.name = "directory_names",
	.sql = "SELECT id, first_name FROM users WHERE id = ANY($1)",
	.nparams = 1,
};

/* Other workers write the same rows: a locked one is skipped rather than waited
 * for (lookups wait behind this statement, and orders of locking could cross),
 * and is missing in the answer. */
#define STMT_LATEST(table, column)                                            \
	"WITH v AS (SELECT * FROM unnest($1::text[], $2::bigint[])"           \
	" AS v(id, ms)),"                                                     \
	" locked AS MATERIALIZED (SELECT id, id::text AS key FROM " table     \
	" WHERE id = ANY($3) FOR NO KEY UPDATE SKIP LOCKED),"                 \
	" written AS (UPDATE " table " AS t SET " column                      \
	" = GREATEST(t." column ", to_timestamp(v.ms / 1000.0))"              \
	" FROM locked JOIN v ON v.id = locked.key WHERE t.id = locked.id"     \
	" AND (t." column " IS NULL OR"                                       \
	" t." column " < to_timestamp(v.ms / 1000.0)))"                       \
	" SELECT key FROM locked"

static const struct pg_stmt stmt_seen = {
	.name = "directory_seen",
	.sql = STMT_LATEST("users", "last_seen"),
	.nparams = 3,
};

static const struct pg_stmt stmt_message_at = {
	.name = "directory_message_at",
	.sql = STMT_LATEST("matches", "last_message_at"),
	.nparams = 3,
};

/* Columns without a time zone, Prisma's for one, hold UTC. Plans are made once
 * a connection, often while the tables are all but empty, and must hold when
 * they have grown: each statement finds its rows by an index. */
static const char *const query_setup[] = {
	"SELECT set_config(name, value, false) FROM (VALUES"
	" ('timezone', 'UTC'), ('plan_cache_mode', 'force_generic_plan'),"
	" ('enable_seqscan', 'off'), ('enable_mergejoin', 'off'),"
	" ('jit', 'off')) AS s (name, value)",
	NULL,
};

static void on_pg_state(void *arg, bool up)
{
	struct directory *d = arg;

	stats_set(STAT_postgres_up, up);
	row_cache_pg_state(d->matches, up);
	row_cache_pg_state(d->names, up);
}

static void on_relisten(void *arg)
{
	struct directory *d = arg;

	row_cache_relisten(d->matches);
	row_cache_relisten(d->names);
}

static void on_changed(void *arg, const char *channel, const char *id)
{
	struct directory *d = arg;
	struct row_cache *cache = strcmp(channel, CHANNEL_MATCH) == 0 ?
					  d->matches : d->names;

	if (id[0] == '\0')
		row_cache_invalidate_all(cache);
	else
		row_cache_invalidate(cache, id);
}

struct match_call {
	directory_match_cb *cb;
	void *arg;
};

/* Users whose ids are longer than the protocol allows cannot connect; to us
 * they do not exist. Callers copy ids into buffers of that size. */
static bool is_user_id(const char *id)
{
	size_t n = id != NULL ? strnlen(id, PW_ID_MAX + 1) : 0;

	return n > 0 && n <= PW_ID_MAX;
}

static void answer_match(const struct match_call *call, int err,
			 const char *id, const char *const *cols)
{
	struct match m;

	if (err != 0 || cols == NULL || !is_user_id(cols[MATCH_A]) ||
	    !is_user_id(cols[MATCH_B])) {
		call->cb(call->arg, err, NULL);
		return;
	}
	m.id = id;
	m.user_a = cols[MATCH_A];
	m.user_b = cols[MATCH_B];
	m.live = cols[MATCH_LIVE] != NULL && cols[MATCH_LIVE][0] == 't';
	call->cb(call->arg, 0, &m);
}

static void on_match(void *arg, int err, const char *id,
		     const char *const *cols)
{
	struct match_call *call = arg;

	answer_match(call, err, id, cols);
	free(call);
}

void directory_match(struct directory *d, const char *match_id,
		     directory_match_cb *cb, void *arg)
{
	struct match_call *call, now = { cb, arg };
	const char *const *cols;

	if (row_cache_hit(d->matches, match_id, &cols)) {
		answer_match(&now, 0, match_id, cols);
		return;
	}
	call = mem_alloc(sizeof(*call));
	*call = now;
	row_cache_get(d->matches, match_id, on_match, call);
}

struct name_call {
	directory_name_cb *cb;
	void *arg;
};

static void on_name(void *arg, int err, const char *id, const char *const *cols)
{
	struct name_call *call = arg;

	(void)id;
	call->cb(call->arg, err,
		 cols != NULL && cols[0] != NULL ? cols[0] : "");
	free(call);
}

void directory_name(struct directory *d, const char *user_id,
		    directory_name_cb *cb, void *arg)
{
	const char *const *cols;
	struct name_call *call;

	if (row_cache_hit(d->names, user_id, &cols)) {
		cb(arg, 0, cols != NULL && cols[0] != NULL ? cols[0] : "");
		return;
	}
	call = mem_alloc(sizeof(*call));
	*call = (struct name_call){ cb, arg };
	row_cache_get(d->names, user_id, on_name, call);
}

void directory_peers(struct directory *d, const char *user_id,
		     directory_peers_cb *cb, void *arg)
{
	peers_get(d->peers, user_id, cb, arg);
}

void directory_matched(struct directory *d, const char *user_id,
		       const char *const *others, size_t n,
		       directory_matched_cb *cb, void *arg)
{
	peers_matched(d->peers, user_id, others, n, cb, arg);
}

void directory_seen(struct directory *d, const char *user_id, int64_t at_ms)
{
	coalescer_set(d->seen, user_id, at_ms);
}

void directory_message_at(struct directory *d, const char *match_id,
			  int64_t at_ms)
{
	coalescer_set(d->message_at, match_id, at_ms);
}

void directory_look(struct directory *d, directory_look_cb *cb, void *arg)
{
	inspect(d->pg, cb, arg);
}

bool directory_listening(const struct directory *d)
{
	return listen_proof(d->listen)->proven;
}

static bool writes_under_way(const struct directory *d)
{
	return coalescer_busy(d->seen) || coalescer_busy(d->message_at);
}

static void on_flush_done(void *arg)
{
	struct directory *d = arg;
	struct list done, *n;
	int err = d->flush_err;

	d->flush_err = 0;
	list_init(&done);
	list_splice(&done, &d->flushes);
	while ((n = list_shift(&done)) != NULL) {
		struct flush *f = LIST_ENTRY(n, struct flush, node);

		f->cb(f->arg, err);
		free(f);
	}
}

static void on_writes_idle(void *arg, int err)
{
	struct directory *d = arg;

	if (err != 0)
		d->flush_err = err;
	if (!writes_under_way(d))
		loop_defer(d->loop, &d->flush_done);
}

void directory_flush(struct directory *d, void (*cb)(void *arg, int err),
		     void *arg)
{
	struct flush *f = mem_alloc(sizeof(*f));

	f->cb = cb;
	f->arg = arg;
	list_init(&f->node);
	list_append(&d->flushes, &f->node);
	coalescer_flush(d->seen);
	coalescer_flush(d->message_at);
	if (coalescer_pending(d->seen) || coalescer_pending(d->message_at))
		d->flush_err = -ENOTCONN;
	if (!writes_under_way(d))
		loop_defer(d->loop, &d->flush_done);
}

static struct row_cache *cache_new(struct directory *d,
				   const struct directory_conf *c,
				   const char *what, const struct pg_stmt *stmt,
				   unsigned ncols)
{
	struct row_cache_conf rc = {
		.loop = d->loop,
		.pg = d->pg,
		.proof = listen_proof(d->listen),
		.stmt = stmt,
		.ncols = ncols,
		.max = c->cache_max,
		.stale_max_ms = c->stale_max_ms,
		.what = what,
	};

	return row_cache_new(&rc);
}

static struct coalescer *times_new(struct directory *d,
				   const struct directory_conf *c,
				   const char *what, const struct pg_stmt *stmt)
{
	struct coalescer_conf cc = {
		.loop = d->loop,
		.pg = d->pg,
		.stmt = stmt,
		.what = what,
		.max = c->cache_max,
		.flush_ms = c->flush_ms,
		.idle = on_writes_idle,
		.arg = d,
	};

	return coalescer_new(&cc);
}

struct directory *directory_new(struct loop *l, const struct directory_conf *c)
{
	struct directory *d = mem_zalloc(sizeof(*d));
	char name[96];
	struct pg_conf pc = {
		.name = name,
		.url = c->url,
		.timeout_ms = c->timeout_ms,
		.setup = query_setup,
	};
	struct listen_conf lc = {
		.loop = l,
		.url = c->url,
		.name = name,
		.timeout_ms = c->timeout_ms,
		.relisten = on_relisten,
		.changed = on_changed,
		.arg = d,
	};

	d->loop = l;
	list_init(&d->flushes);
	task_init(&d->flush_done, LOOP_REAP, on_flush_done, d);
	stats_set(STAT_postgres_up, 0);
	snprintf(name, sizeof(name), "%s listen", c->name);
	d->listen = listen_new(&lc);
	snprintf(name, sizeof(name), "%s directory", c->name);
	d->pg = pg_new(l, &pc, on_pg_state, NULL, d);
	d->peers = peers_new(l, d->pg);
	d->matches = cache_new(d, c, "matches", &stmt_matches, MATCH__COLS);
	d->names = cache_new(d, c, "users", &stmt_names, 1);
	d->seen = times_new(d, c, "last_seen", &stmt_seen);
	d->message_at = times_new(d, c, "last_message_at", &stmt_message_at);
	return d;
}

void directory_free(struct directory **dp)
{
	struct directory *d = *dp;

	if (d == NULL)
		return;
	row_cache_close(d->matches);
	row_cache_close(d->names);
	pg_free(&d->pg);
	if (!list_empty(&d->flushes))
		on_flush_done(d);
	task_cancel(&d->flush_done);
	peers_free(&d->peers);
	row_cache_free(&d->matches);
	row_cache_free(&d->names);
	coalescer_free(&d->seen);
	coalescer_free(&d->message_at);
	listen_free(&d->listen);
	free(d);
	*dp = NULL;
}
