/* Messages whose push fell due, found by index in the store (M4): nothing about
 * them is kept in memory, so any worker can finish what a dead one began. One
 * worker leads; all do it while Redis cannot say who. */
#ifndef PW_SWEEP_H
#define PW_SWEEP_H

#include "worker/chat/chat.h"

void sweep_init(struct chat *c);
void sweep_free(struct chat *c);
/* The store or the queue is well again: look now. */
void sweep_wake(struct chat *c);

#endif
