/* Which users are online, and which worker instances hold them (Redis; design
 * M7). Loop thread only. The keys:
 *   online:users              set, the reference's
 *   socket:<user>             a socket id of the user, the reference's
 *   pw:instances              sorted set, instance -> lease expiry (ms, Redis TIME)
 *   pw:w:<instance>           set of users
 *   pw:u:<user>               hash instance -> socket id: where to publish
 *   pw:leaving                sorted set, user -> when he counts as offline
 *   pw:lead:<job>             instance that leads in it; with its end */
#ifndef PW_PRESENCE_H
#define PW_PRESENCE_H

#include "common/base/base.h"

struct loop;
struct presence;
struct redis;

struct presence_conf {
	const char *instance;	/* "host:boot:instance", copied */
	unsigned lease_ms;	/* renewed every third of it */
	unsigned grace_ms;	/* offline_grace */
};
enum presence_why {
	PRESENCE_FIRST,		/* Redis is there for the first time, at once */
	PRESENCE_FORGOTTEN,	/* it has lost our record, or a change of it */
	PRESENCE_RECONNECTED,	/* it was away, for others as well */
};
struct presence_ops {
	/* user came online (was not) or went offline (grace over): to be
	 * announced by this worker. */
	void (*changed)(void *arg, const char *user_id, bool online);
	/* Everything local must be registered again: call presence_enter for each
	 * local user. */
	void (*reregister)(void *arg, enum presence_why why);
	/* Redis has lost the unread counters of a user who enters (M9). May be
	 * NULL. */
	void (*unread_lost)(void *arg, const char *user_id);
	void *arg;
};

/* conf's strings and ops are copied. r must outlive the presence. Feeds the
 * cluster clock (design M0) with each renewal. */
struct presence *presence_new(struct loop *l, struct redis *r,
			      const struct presence_conf *c,
			      const struct presence_ops *ops);
/* `entered` callbacks not yet run get -ECANCELED. Nothing changes in Redis: the
 * lease runs out, or presence_retire was called before. */
void presence_free(struct presence **p);
/* offline_grace, for those who leave from now on. */
void presence_set_grace(struct presence *p, unsigned grace_ms);
/* Redis came up (the owner of the connection tells). Calls reregister. */
void presence_redis_up(struct presence *p);
/* First local socket of the user / last one gone. Idempotent. Calls of a loop
 * turn share one script call. entered (may be NULL) runs, once and never before
 * this returns, when the route is registered (err 0) or could not be: then
 * reregister follows when Redis is well again. A leave that Redis did not take
 * is remembered and repeated, unless the user enters again. socket:<user> is
 * the socket_id of the last instance that he entered and has not left. */
void presence_enter(struct presence *p, const char *user_id,
		    const char *socket_id, void (*entered)(void *arg, int err),
		    void *arg);
void presence_leave(struct presence *p, const char *user_id);
/* Which of n users are online. err 0 or as redis_cb, then n is 0; online[i]
 * belongs to user_ids[i]; borrowed. Exactly once, later. user_ids are copied. */
typedef void presence_online_cb(void *arg, int err, const bool *online,
				size_t n);
void presence_online(struct presence *p, const char *const *user_ids, size_t n,
		     presence_online_cb *cb, void *arg);
/* Names of instances ("host:boot:instance"). err 0 or as redis_cb, then n is 0.
 * Borrowed. Exactly once, later. */
typedef void presence_names_cb(void *arg, int err, const char *const *names,
			       size_t n);
/* Those that hold the user. */
void presence_holders(struct presence *p, const char *user_id,
		      presence_names_cb *cb, void *arg);
/* Those whose lease has not run out. */
void presence_instances(struct presence *p, presence_names_cb *cb, void *arg);
/* Asks for the lead in a job that one worker of the cluster can do for all:
 * yes for whoever holds pw:lead:<job>, or takes it now; it is held for hold_ms
 * from then on. err: Redis cannot say. Saves work; nothing may depend on there
 * being only one. */
void presence_lead(struct presence *p, const char *job, unsigned hold_ms,
		   void (*cb)(void *arg, int err, bool yes), void *arg);
/* An instance died (master's word): its users' routes are removed now. */
void presence_reap(struct presence *p, const char *instance);
/* The instance goes for good: everything of it is removed, users who are left
 * with no other have their grace; cb (may be NULL) when done or impossible.
 * Afterwards presence_enter is refused (-ECANCELED). */
void presence_retire(struct presence *p, void (*cb)(void *arg), void *arg);

#endif
