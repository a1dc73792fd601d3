/* Messages whose push fell due, found by index in the store (M4): nothing about
 * them is kept in memory, so any worker can finish what a dead one began. One
 * worker leads; all do it while Redis cannot say who.
 *
 * What is due is read in pages, in order of owe. Of an ended match: owes nothing
 * more. Else the recipient's devices are told to look in the store, and the push
 * is queued. While the store or the queue is away the rows stay as they are; one
 * that alone cannot be handled falls due again later, behind the others. */
#ifndef PW_SWEEP_H
#define PW_SWEEP_H

#include "worker/chat/chat.h"

void sweep_init(struct chat *c);
void sweep_free(struct chat *c);
/* The store or the queue is well again: looks soon, when devices have had time
 * to confirm what reached them only now. */
void sweep_wake(struct chat *c);

#endif
