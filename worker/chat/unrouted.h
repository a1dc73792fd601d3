/* Stored messages that Redis did not take: read again from the store and routed,
 * in order, when it is back (design 3.4). While one waits, those behind it wait
 * too. Bounded; what is beyond is found by the sweep, and the worker's src
 * changes so that no offset hides it. */
#ifndef PW_UNROUTED_H
#define PW_UNROUTED_H

#include "worker/chat/chat.h"

#define UNROUTED_MAX 100000

void unrouted_init(struct chat *c);
void unrouted_free(struct chat *c);
/* True: something waits, so the message has to as well. */
bool unrouted_waiting(const struct chat *c);
void unrouted_add(struct chat *c, const char *id);
/* Redis is well again. */
void unrouted_wake(struct chat *c);

#endif
