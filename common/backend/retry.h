/* What all kept-up connections have in common: when the next attempt is, and
 * what the log says. One line when it is lost, one per new reason while it
 * cannot be had, and one when it is back; a first connection that comes up at
 * once is no news (a worker has eight of them). Only common/backend includes this. */
#ifndef PW_RETRY_H
#define PW_RETRY_H

#include <stdarg.h>

#include "common/backend/backoff.h"
#include "common/base/base.h"
#include "common/loop/loop.h"

#define RETRY_WHY_LEN 192

struct retry {
	struct timer timer;	/* next attempt, or the current one's deadline:
				 * what it means is the owner's to know */
	struct backoff backoff;
	int64_t up_since_ms;	/* -1: not up */
	const char *kind;	/* "redis" */
	char *name;
	char *where;		/* "host=… port=…", for the log */
	char why[RETRY_WHY_LEN];	/* the connection is about to end */
	char logged[RETRY_WHY_LEN];	/* last reason logged of this outage */
	bool trouble;		/* it was lost or could not be had, ever */
};

/* kind is borrowed, name copied, where taken (free()d). */
void retry_init(struct retry *r, struct loop *l, const char *kind,
		const char *name, char *where, void (*on_timer)(void *arg),
		void *arg);
void retry_free(struct retry *r);
/* Sets why. Text of servers and libraries: its first line only. */
void retry_why(struct retry *r, const char *fmt, ...) PRINTF(2, 3);
void retry_vwhy(struct retry *r, const char *fmt, va_list ap) PRINTF(2, 0);
/* It is up: stops the timer. */
void retry_up(struct retry *r);
/* The connection or attempt ended because of why: arms the timer; at_once
 * when there is another address to try. True if it had been up. */
bool retry_ended(struct retry *r, bool at_once);

#endif
