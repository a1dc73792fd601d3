/* Token bucket in eight bytes: the generic cell rate algorithm. A bucket is the
 * time at which it will be full again. Pure. */
#ifndef PW_RATE_H
#define PW_RATE_H

#include "common/base/base.h"

struct rate_conf {
	int64_t interval_us;	/* between two, on average; 0: no limit */
	int64_t burst_us;	/* interval * (burst - 1) */
};

/* per_s 0: no limit; burst at least 1. */
struct rate_conf rate_conf(uint64_t per_s, uint64_t burst);
static inline bool rate_conf_equal(const struct rate_conf *a,
				   const struct rate_conf *b)
{
	return a->interval_us == b->interval_us && a->burst_us == b->burst_us;
}
/* Takes one; false: none there. *full_us is the bucket, 0 to begin with; now_us
 * of any clock that does not go back. */
bool rate_take(const struct rate_conf *c, int64_t *full_us, int64_t now_us);
/* Until the next one, in us; 0: there is one. */
int64_t rate_wait(const struct rate_conf *c, int64_t full_us, int64_t now_us);

#endif
