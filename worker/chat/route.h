/* A stored message on its way to the devices of its two users. */
#ifndef PW_ROUTE_H
#define PW_ROUTE_H

#include "worker/chat/chat.h"

/* Devices here get it at once, those elsewhere through Redis, behind what waits
 * for that (unrouted.h). asker: the sender's device that needs no copy. */
void route_message(struct chat *c, const struct message *m,
		   const struct device *asker);
/* A resend found it, or the sweep, and maybe nobody was told of it: whoever
 * inserted it did not learn that it is there, or waits for Redis. Then what is
 * before it in its stream may wait as well; so the devices of both users look
 * for it, rather than be sent it. */
void route_found(struct chat *c, const struct message *m, struct device *asker);
/* A user's devices look into the store, where what they were not sent is in
 * order; what is routed from now on comes behind that. */
void route_look(struct chat *c, const char *user_id);
/* It waited, and Redis is back: to the devices elsewhere. done runs exactly once,
 * never before this returns; err as router_cb's. */
void route_again(struct chat *c, const struct message *m,
		 void (*done)(void *arg, int err), void *arg);

#endif
