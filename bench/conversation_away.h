/* The end of a conversation with --pushes: the one whose turn it is not leaves,
 * the other writes once more, and what pairwire-pushd would show is looked for.
 * The file holds what its --dry-run says: a line of JSON each. */
#ifndef PW_BENCH_CONVERSATION_AWAY_H
#define PW_BENCH_CONVERSATION_AWAY_H

#include "bench/conversation.h"

struct away;

/* Begins it: steps[t->turn], which nobody reads, is the last one. done() is
 * called when it was pushed. */
struct away *away_begin(struct talk *t, void (*done)(struct talk *t));
/* The server says of the absent one that he is gone. */
void away_is_offline(struct away *a);
/* What is missing. */
const char *away_lacks(const struct away *a);
void away_free(struct away **a);	/* NULLs *a */

#endif
