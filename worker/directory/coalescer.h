/* Times that are written seldom and in groups: the latest per id wins, one
 * statement carries many. Loop thread only. */
#ifndef PW_COALESCER_H
#define PW_COALESCER_H

#include "common/base/base.h"

struct coalescer;
struct loop;
struct pg;
struct pg_stmt;

struct coalescer_conf {
	struct loop *loop;
	struct pg *pg;
	/* $1 ids and $2 milliseconds, arrays of one length; $3 the ids again,
	 * in the type of the column. Answers the ids it took care of. */
	const struct pg_stmt *stmt;
	const char *what;		/* for log lines: "last_seen" */
	size_t max;			/* ids waiting; more are dropped */
	unsigned flush_ms;
	void (*idle)(void *arg, int err);	/* the last statement under way
						 * ended; err of any since */
	void *arg;
};

struct coalescer *coalescer_new(const struct coalescer_conf *conf);
/* After pg_free(). What is pending is lost. */
void coalescer_free(struct coalescer **c);
void coalescer_set(struct coalescer *c, const char *id, int64_t ms);
/* Sends what is pending, unless PostgreSQL is down. */
void coalescer_flush(struct coalescer *c);
bool coalescer_busy(const struct coalescer *c);		/* statements under way */
bool coalescer_pending(const struct coalescer *c);	/* ids not sent */

#endif
