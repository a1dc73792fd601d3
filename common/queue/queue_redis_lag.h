/* How far a group is behind its Redis stream, asked now and then. */
#ifndef PW_QUEUE_REDIS_LAG_H
#define PW_QUEUE_REDIS_LAG_H

#include "common/base/base.h"

struct lag;
struct loop;
struct redis;

/* redis is borrowed, and not yet connecting; group is copied. */
struct lag *lag_new(struct loop *l, struct redis *redis, const char *group);
/* After its connection: nothing may be in flight. */
void lag_free(struct lag **l);
/* Entries that were not handed out yet; -1: not known (any more). */
int64_t lag_known(const struct lag *l);

#endif
