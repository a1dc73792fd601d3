/* The receiving side of routing: the subscription to our own channel, and the
 * proof that all came (design M5). Every second a tick is published to the
 * channel over the command connection; a subscription that looks up but passes
 * on none of them is dropped and made anew. Envelopes and ticks say how many
 * envelopes there were: whatever does not follow the last that came is a loss. */
#ifndef PW_ROUTER_WATCH_H
#define PW_ROUTER_WATCH_H

#include "worker/router.h"

struct router_watch;

/* As their namesakes in router.h. ops must outlive the watch; conf is copied. */
struct router_watch *router_watch_new(struct loop *l, struct redis *commands,
				      const struct router_conf *conf,
				      const struct router_ops *ops);
void router_watch_free(struct router_watch **w);
int64_t router_watch_good_us(const struct router_watch *w);
unsigned router_watch_losses(const struct router_watch *w);
void router_watch_made_good(struct router_watch *w, unsigned lost);

#endif
