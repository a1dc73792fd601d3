/* The receiving side of routing: the subscription to our own channel, and the
 * proof that it works. Every second a tick is published to the channel over
 * the command connection; a subscription that looks up but passes on none of
 * them is dropped and made anew (design M5). */
#ifndef PW_ROUTER_WATCH_H
#define PW_ROUTER_WATCH_H

#include "worker/router.h"

struct router_watch;

/* ops must outlive the watch; conf is copied. */
struct router_watch *router_watch_new(struct loop *l, struct redis *commands,
				      const struct router_conf *conf,
				      const struct router_ops *ops);
void router_watch_free(struct router_watch **w);

#endif
