/* A device gets from the store what it was not sent: on connect, by its offset,
 * after envelopes were lost, when a message was swept (M5, M6). One path for
 * all: pages of 100 in order of pos, each followed by a barrier, the next when
 * its pong is there; then the receipts; then what came live meanwhile. */
#ifndef PW_CATCH_UP_H
#define PW_CATCH_UP_H

#include "worker/chat/emit.h"

/* The device's route is registered (or Redis is down). since: 0: only what no
 * device of the user confirmed; else all from there on that seen does not have.
 * A device that is catching up already does so once more at the end. Store
 * down: goes on when it is back. */
void catch_up_start(struct device *d, int64_t since);
/* A pong came: the device has read everything up to mark. */
void catch_up_confirmed(struct device *d, uint32_t mark);
/* The device is gone: forget it. */
void catch_up_drop(struct device *d);
/* Every device here, from where router_good_us() stands; router_made_good()
 * when all have: lost(), or a route that Redis had forgotten. */
void catch_up_all(struct chat *c);
void catch_up_init(struct chat *c);
void catch_up_free(struct chat *c);

/* Holds a live message back while d is catching up. False: it is not. */
bool catch_up_hold(struct device *d, const struct emission *e);

#endif
