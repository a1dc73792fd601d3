/* Inside of presence: presence.c (who enters and leaves), presence_lease.c
 * (staying alive, and clearing up after those who did not), presence_ask.c (what
 * others want to know), presence_script.c. */
#ifndef PW_PRESENCE_IMPL_H
#define PW_PRESENCE_IMPL_H

#include "common/backend/redis.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/loop/loop.h"
#include "worker/presence.h"

/* More keys, beside those of presence.h:
 *   pw:dead           set of instances that are being cleared up
 *   pw:d:<instance>   users of such an instance, not yet looked at. Apart from
 *                     pw:w:, so that an instance that was only asleep can
 *                     register its users anew meanwhile
 *   pw:e:<instance>   epoch: number of the newest connection of an instance;
 *                     what is left unread of an older one must not undo it */
extern struct redis_script presence_apply_script;
#define PRESENCE_NEW 1		/* he was not online */
#define PRESENCE_UNREAD_LOST 2	/* pw:urb:<user> is not there, or not whole */
extern struct redis_script presence_renew_script;
extern struct redis_script presence_bury_script;
extern struct redis_script presence_sweep_script;

struct change;

struct presence {
	struct loop *loop;
	struct redis *redis;
	char *instance;
	unsigned lease;		/* ms */
	char lease_ms[24];	/* as the scripts take them */
	char grace_ms[24];
	struct presence_ops ops;
	struct list calls;
	uint64_t epoch;

	/* presence.c */
	struct list changes;	/* of this turn */
	struct task flush;
	struct map leaves;	/* not confirmed by Redis, or lately, by user */
	int64_t remember_ms;	/* those that are: sweeps included */
	uint64_t last_change;	/* they are numbered from 1 */
	bool stale;		/* an enter failed: register all again */

	/* presence_lease.c */
	struct timer renew;
	struct timer sweep;
	int64_t renew_ms;
	int64_t sweep_ms;
	int64_t renew_sent_us;
	bool renewing;
	bool renewed;		/* at least once */
	bool sweeping;
	bool retired;
	void (*retire_cb)(void *arg);
	void *retire_arg;
};

/* err, reply as in redis_cb. When presence is freed: -ECANCELED. */
typedef void presence_reply(struct presence *p, int err,
			    const struct redisReply *reply, void *arg);
void presence_eval(struct presence *p, struct redis_script *s, int argc,
		   const struct slice *argv, presence_reply *fn, void *arg);
/* The same for a plain command. */
void presence_command(struct presence *p, int argc, const struct slice *argv,
		      presence_reply *fn, void *arg);
/* Sends what this turn has collected. */
void presence_flush(struct presence *p);
/* Repeats the leaves that Redis has not confirmed, forgets old ones. */
void presence_repeat_leaves(struct presence *p);
/* Redis was away, and may have forgotten them all. */
void presence_doubt_leaves(struct presence *p);

void presence_ask_init(struct presence *p);
void presence_lease_init(struct presence *p);
void presence_set_sweep(struct presence *p, int64_t grace_ms);
void presence_lease_free(struct presence *p);

#endif
