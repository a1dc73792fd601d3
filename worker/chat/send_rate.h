/* How fast each user may send here: message_rate, message_burst. A bucket lives
 * while it is not full and belongs to the user, not to a connection: whoever
 * reconnects, or sends from another device, finds what he left. Memory follows
 * the number of users who sent within the last burst's time. Pure. */
#ifndef PW_SEND_RATE_H
#define PW_SEND_RATE_H

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/rate.h"

struct send_rates {
	struct rate_conf conf;
	struct map map;
	struct list used;	/* longest unused first */
	size_t max;
};

/* conf without an interval: no limit. Past max users the one who has not sent
 * for longest is forgotten. */
void send_rates_init(struct send_rates *r, const struct rate_conf *conf,
		     size_t max);
/* Another limit: every bucket is full again. What is no other changes nothing. */
void send_rates_set_conf(struct send_rates *r, const struct rate_conf *conf);
void send_rates_free(struct send_rates *r);
/* Counts one message:send of the user at monotonic now_us: 0, or how long, in
 * ms (at least 1), until one is allowed again. */
unsigned send_rate_take(struct send_rates *r, const char *user_id,
			int64_t now_us);

#endif
