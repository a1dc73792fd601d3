/* The invalidation guard: a wrong credential, or an app at the wrong end-point, makes a
 * provider call every token dead. Deletions are held back a while, and none
 * happens while the share of them is out of the ordinary. Pure: told the time.
 *
 * Counts fade with a half-life of GUARD_HALF_LIFE_MS. It trips when at least
 * GUARD_LEAST dead tokens make up more than share percent of the answers that
 * judge a token (sent, or dead), and holds until they are less than half of
 * that. GUARD_LEAST in a row do not fade: where events are rare, a night of them
 * would empty the table one by one.
 *
 * And deletions have to be earned by what was sent: share of them by 100 - share of
 * those, at most GUARD_BURST in advance. So a fresh one deletes nothing before its
 * credentials have been seen to work, however often it is started afresh; and of
 * those that a jump condemns before it trips, GUARD_BURST go at most. One per sender. */
#ifndef PW_PUSHD_GUARD_H
#define PW_PUSHD_GUARD_H

#include "common/base/base.h"

#define GUARD_HALF_LIFE_MS 300000
#define GUARD_LEAST 5
#define GUARD_BURST 10

struct guard {
	double ok, dead;	/* faded counts */
	unsigned row;		/* dead since one was sent, up to GUARD_LEAST */
	int64_t at_ms;		/* as of then, monotonic */
	unsigned share;		/* percent, 1 to 100: then it guards nothing */
	unsigned earned;	/* 100 - share is a deletion */
	bool tripped;
};

void guard_init(struct guard *g, unsigned share);
/* An answer that judges a token. True when this changed g->tripped. */
bool guard_sent(struct guard *g, int64_t now_ms);
bool guard_dead(struct guard *g, int64_t now_ms);
/* True: one may be deleted, unless it has tripped by then: it is spent. */
bool guard_spend(struct guard *g);
/* The credentials may be others: nothing is known of them. A tripped one stays so,
 * until they are believed. */
void guard_renew(struct guard *g);

#endif
