#include "common/base/rate.h"

struct rate_conf rate_conf(uint64_t per_s, uint64_t burst)
{
	struct rate_conf c = { 0 };

	if (per_s == 0)
		return c;
	c.interval_us = (int64_t)(1000000 / per_s);
	c.burst_us = c.interval_us * (int64_t)(burst > 0 ? burst - 1 : 0);
	return c;
}

bool rate_take(const struct rate_conf *c, int64_t *full_us, int64_t now_us)
{
	int64_t full = *full_us > now_us ? *full_us : now_us;

	if (full - now_us > c->burst_us)
		return false;
	*full_us = full + c->interval_us;
	return true;
}

int64_t rate_wait(const struct rate_conf *c, int64_t full_us, int64_t now_us)
{
	int64_t over = full_us - now_us - c->burst_us;

	return over > 0 ? over : 0;
}
