/* What an operator should know of a Redis server: that it answers, how fast, and
 * settings of it that would lose data. Loop thread only. */
#ifndef PW_REDIS_CHECK_H
#define PW_REDIS_CHECK_H

#include "common/base/base.h"

struct redis;

#define REDIS_CHECK_LEN 256

/* The verdict on what INFO says; limits: the value of CONFIG GET
 * client-output-buffer-limit, or NULL: it may not be looked at (managed servers
 * refuse CONFIG). text: what it is, "7.0.15, 0.3 ms". todo: "" when nothing
 * is to be done. Pure. */
struct redis_verdict {
	char text[REDIS_CHECK_LEN];
	char todo[REDIS_CHECK_LEN];
};
void redis_judge(const char *info, const char *limits, int64_t ping_us,
		 struct redis_verdict *out);

/* Asks now. err as redis_cb (then v is NULL), but -EREMOTEIO, which is part of the
 * verdict. Exactly once, later. v is borrowed. */
typedef void redis_check_cb(void *arg, int err, const struct redis_verdict *v);
void redis_check(struct redis *r, redis_check_cb *cb, void *arg);

#endif
