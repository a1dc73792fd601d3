/* A device gets from the store what it was not sent: on connect, by its offset,
 * after envelopes were lost, when a message was swept (M5, M6). One path for
 * all: pages of 100 (or catch_up_bytes) in order of pos, each followed by a
 * barrier, the next when its pong is there; then the receipts; then what came live
 * meanwhile. */
#ifndef PW_CATCH_UP_H
#define PW_CATCH_UP_H

#include "worker/chat/emit.h"

void catch_up_init(struct chat *c);
/* c->conf is another one. */
void catch_up_set_conf(struct chat *c);
void catch_up_free(struct chat *c);

/* The user's route is registered (or Redis is down). The device is accepted, and
 * given what none of them had confirmed when it came - or, after
 * catch_up_recover(), all since its offset; accepted when the first page is
 * there. Store down: begins anew, and goes on when that is back. */
void catch_up_registered(struct device *d);
/* It comes back with its offset; sid: the one it had. Before the above. */
void catch_up_recover(struct device *d, const char *sid,
		      const struct cursor *from);
/* It may have missed messages since emit_floor(), its user's own among them, or
 * a message was swept. Also receipts? A device that is catching up does so once
 * more at the end. */
void catch_up_start(struct device *d, bool receipts);
/* All devices of a user here: a message to him, or of his, was swept. */
void catch_up_user(struct chat *c, struct slice user_id);
/* Every device here, from where router_good_us() stands, after every route was
 * registered again; then router_made_good(). For lost(), and for routes that
 * Redis had forgotten. */
void catch_up_all(struct chat *c);

/* A pong came: the device has read everything up to mark. */
void catch_up_confirmed(struct device *d, uint32_t mark);
/* The device is gone: forget it. */
void catch_up_drop(struct device *d);
/* The store is well again. */
void catch_up_wake(struct chat *c);

/* Holds a live message back while d is catching up. False: it is not. */
bool catch_up_hold(struct device *d, const struct emission *e);
/* The same for a receipt, which may be of such a message. */
bool catch_up_hold_receipt(struct device *d, struct slice frame);
/* The device was told of its own message, which it is not to be sent. False: as
 * above. */
bool catch_up_sent(struct device *d, const struct place *at);
/* Where its offset stands meanwhile: d->catch_up is not NULL. */
int64_t catch_up_floor(const struct device *d);

#endif
