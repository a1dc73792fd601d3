/* Rows of one table by id, read in groups and kept in memory; that a row does
 * not exist is kept as well. Least recently used rows leave. Loop thread only.
 *
 * How long a row is believed (design M8):
 *   LISTEN proven, row read under it:   until its NOTIFY
 *   otherwise, PostgreSQL answers:      2 s, then it is read again
 *   PostgreSQL does not answer:         stale_max_ms
 */
#ifndef PW_ROW_CACHE_H
#define PW_ROW_CACHE_H

#include "common/base/base.h"

struct listen_proof;
struct loop;
struct pg;
struct pg_stmt;
struct row_cache;

#define ROW_COLS_MAX 3

struct row_cache_conf {
	struct loop *loop;
	struct pg *pg;
	const struct listen_proof *proof;	/* borrowed, read at each use */
	const struct pg_stmt *stmt;	/* $1: array of ids -> id, columns */
	unsigned ncols;			/* besides the id, <= ROW_COLS_MAX */
	size_t max;
	int64_t stale_max_ms;
	const char *what;		/* for log lines: "matches" */
};

struct row_cache *row_cache_new(const struct row_cache_conf *conf);
/* In this order: row_cache_close(), then pg_free(), which ends the loads, then
 * row_cache_free(). What waits gets -ECANCELED. */
void row_cache_close(struct row_cache *c);
void row_cache_free(struct row_cache **c);

/* err 0: cols (a NULL column is NULL), or cols NULL: there is no such row.
 * -EAGAIN: cannot be known now. Borrowed until return. */
typedef void row_cb(void *arg, int err, const char *id,
		    const char *const *cols);
/* The row if it can be believed now: true, and *cols_out NULL when there is no
 * such row. Borrowed until the loop turns. */
bool row_cache_hit(struct row_cache *c, const char *id,
		   const char *const **cols_out);
/* Otherwise: cb exactly once, when it was read; at once when nothing can be
 * known now. Concurrent calls for one id share one read. */
void row_cache_get(struct row_cache *c, const char *id, row_cb *cb, void *arg);

/* The row changed; a load of it that is under way is done again. */
void row_cache_invalidate(struct row_cache *c, const char *id);
void row_cache_invalidate_all(struct row_cache *c);
/* The query connection went up or down. */
void row_cache_pg_state(struct row_cache *c, bool up);
/* A new LISTEN is about to be proven: what the one before vouched for is as
 * old as its last proof. Before the proof changes. */
void row_cache_relisten(struct row_cache *c);

#endif
