/* How fast one address may open sessions on this worker. */
#ifndef PW_CONNECT_RATE_H
#define PW_CONNECT_RATE_H

#include "common/base/rate.h"
#include "common/base/net_addr.h"

struct connect_rate;

/* Remembers only addresses whose bucket is not full: memory follows the number
 * of addresses that connected within the last burst's time. */
struct connect_rate *connect_rate_new(const struct rate_conf *c);
/* Another limit: every bucket is full again. What is no other changes nothing. */
void connect_rate_set_conf(struct connect_rate *r, const struct rate_conf *c);
void connect_rate_free(struct connect_rate **r);
/* Counts one; false: too many. An address that is not known always may. Says so
 * in the log once when an address begins to be refused, at most once a minute.
 * now_us: monotonic. wait_s_out: for Retry-After. */
bool connect_rate_take(struct connect_rate *r, const struct net_addr *client,
		       int64_t now_us, unsigned *wait_s_out);

#endif
