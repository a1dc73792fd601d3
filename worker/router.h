/* From here to the sockets of a user, wherever they are: envelopes published
 * to exactly the instances that hold him (design 2). Everything routed in one
 * loop turn goes out as one script call. Loop thread only. */
#ifndef PW_ROUTER_H
#define PW_ROUTER_H

#include "common/protocol/envelope.h"

struct loop;
struct redis;
struct redis_conf;
struct router;

struct router_conf {
	const char *instance;		/* own: published to others only */
	const struct redis_conf *redis;	/* for the subscription's connection */
};
struct router_ops {
	/* An envelope from another instance; no ENV_EMIT_MANY. Borrowed. */
	void (*deliver)(void *arg, const struct envelope *e);
	/* The subscription came (back) or went. */
	void (*subscribed)(void *arg, bool up);
	/* Envelopes for this instance were lost, or may have been (counter with
	 * a gap or begun anew, subscribed - the first time, too), or routes to it
	 * (Redis was emptied, or it was taken for dead): they must be registered
	 * again, and what its users were sent since router_good_us() looked up
	 * in the store. Runs before deliver() of what comes behind the gap.
	 * router_good_us() stands still until router_made_good(). */
	void (*lost)(void *arg);
	/* The user's unread counters are to be made anew (M9): Redis has lost
	 * them; or (in_doubt) did not say that it took a router_read(). May be
	 * NULL. */
	void (*unread_lost)(void *arg, const char *user_id, bool in_doubt);
	void *arg;
};

/* What else the route script does in the same round trip. */
enum router_extra {
	ROUTE_PLAIN,
	ROUTE_UNREAD,		/* message:new: id joins the user's unread set of
				 * the match, counters follow (M9) */
};

/* receivers: other instances that took it. present: the user is registered on
 * this very instance. leaving: nobody, but still within his grace, or on
 * an instance that has its lease and does not listen just now.
 * err: not 0: Redis cannot say (r is all zeros). -ENOTCONN: down, or too much
 * is waiting for it: not sent. -ETIMEDOUT, -ECONNRESET: outcome unknown.
 * -EREMOTEIO: the script failed. -ECANCELED: router_free. Exactly once, never
 * before router_send returns. */
struct route_result {
	unsigned receivers;
	bool present;
	bool leaving;
};
typedef void router_cb(void *arg, int err, const struct route_result *r);

/* conf's and ops' contents are copied. r must outlive the router. */
struct router *router_new(struct loop *l, struct redis *r,
			  const struct router_conf *c,
			  const struct router_ops *ops);
void router_free(struct router **r);
/* e (copied) goes to the other instances holding e->user_id. Local sockets are
 * the caller's. cb may be NULL. What is sent to one instance arrives there in
 * the order of the calls. e->counter is set on the way: the receiver's envelopes
 * carry consecutive numbers, begun anew when Redis has lost its data. */
void router_send(struct router *r, const struct envelope *e,
		 enum router_extra extra, router_cb *cb, void *arg);
/* Cluster time (µs) up to which everything published to this instance has come:
 * the time (Redis') at which the last tick that came with no counter missing was
 * published. 0 until the first one. Never goes back. */
int64_t router_good_us(const struct router *r);
/* Since the lost() numbered `lost` (router_losses() then) all has been looked
 * up: router_good_us() moves again, unless more was lost meanwhile. */
unsigned router_losses(const struct router *r);
void router_made_good(struct router *r, unsigned lost);
/* The same event to many users, in one round trip a few hundred of them: only
 * other instances of those who are online get it, one envelope each for all
 * their users, and deliver it to each as an ENV_EMIT; local ones are the
 * caller's. Lost when Redis is down. users and event are copied. */
void router_send_many(struct router *r, const char *const *users, size_t n,
		      struct slice event);
/* typing:<match>:<user> for 5 s (or removed), and e, in the same call. */
void router_typing(struct router *r, const char *match_id, const char *user_id,
		   bool typing, const struct envelope *e);
/* ids were read by user in match: leave his unread set, counters follow. */
void router_read(struct router *r, const char *match_id, const char *user_id,
		 const char (*ids)[25], size_t n);

#endif
