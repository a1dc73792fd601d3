/* Stored messages that Redis did not take: read again from the store and routed,
 * in order, when it is back (design 3.4). While one waits, those behind it wait
 * too. Bounded; what is beyond is given up: the sweep finds it, and the worker's
 * src changes so that no offset hides it. */
#ifndef PW_UNROUTED_H
#define PW_UNROUTED_H

#include "worker/chat/chat.h"

#define UNROUTED_MAX 100000

void unrouted_init(struct chat *c);
void unrouted_free(struct chat *c);
/* True: something waits that a message of this src must not overtake, or messages
 * of it were given up: unrouted_add() it. */
bool unrouted_waiting(const struct chat *c, const char *src);
/* Some wait. */
bool unrouted_any(const struct chat *c);
void unrouted_add(struct chat *c, const char *id);
/* Redis is well (again), this worker's users are being registered. */
void unrouted_wake(struct chat *c);
/* Redis was away moments ago: users whom it does not know may be on a worker
 * that has not registered them again yet. */
bool unrouted_unsettled(const struct chat *c);

#endif
