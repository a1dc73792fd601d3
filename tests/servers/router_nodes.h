/* For tests of routing: two instances on a real Redis, and what each gets. */
#ifndef PW_ROUTER_NODES_H
#define PW_ROUTER_NODES_H

#include <signal.h>
#include <unistd.h>

#include "common/base/log.h"
#include "tests/servers/loop_wait.h"
#include "tests/servers/redis_admin.h"
#include "worker/router.h"

static struct loop *l;

struct node {
	char instance[64];
	struct redis *redis;
	struct router *router;
	struct redis_conf conf;
	bool subscribed;
	unsigned subscriptions;
	void (*went_down)(struct node *n);	/* the subscription; or NULL */
	size_t got;
	uint64_t counter;	/* of the last envelope */
	bool in_order;		/* events "0", "1", …; counters without a gap */
	struct envelope last;	/* without the borrowed fields */
	bool keeps_lost;	/* it does not make good what it lost */
	unsigned lost;
	size_t got_at_loss;
};

static inline void on_deliver(void *arg, const struct envelope *e)
{
	struct node *n = arg;
	char want[24];

	snprintf(want, sizeof(want), "%zu", n->got);
	if (e->event.n != strlen(want) ||
	    memcmp(e->event.p, want, e->event.n) != 0 ||
	    (n->got > 0 && e->counter != n->counter + 1))
		n->in_order = false;
	n->counter = e->counter;
	n->got++;
	n->last = *e;
}

static inline void on_lost(void *arg)
{
	struct node *n = arg;

	n->lost++;
	n->got_at_loss = n->got;
	if (!n->keeps_lost)
		router_made_good(n->router, router_losses(n->router));
}

/* Unread counters that were said to be lost, by either node. */
static int lost_counters;
static bool lost_in_doubt;	/* the last one's */
static char lost_user[32];

static inline void on_unread_lost(void *arg, const char *user_id, bool in_doubt)
{
	(void)arg;
	lost_counters++;
	lost_in_doubt = in_doubt;
	snprintf(lost_user, sizeof(lost_user), "%s", user_id);
}

static inline void on_subscribed(void *arg, bool up)
{
	struct node *n = arg;

	n->subscribed = up;
	n->subscriptions += up;
	if (!up && n->went_down != NULL)
		n->went_down(n);
}

static inline void node_start(struct node *n, const char *name, unsigned db)
{
	struct router_ops ops = {
		.deliver = on_deliver, .subscribed = on_subscribed,
		.lost = on_lost, .unread_lost = on_unread_lost, .arg = n
	};
	struct router_conf conf = { n->instance, &n->conf };

	*n = (struct node){ .in_order = true };
	snprintf(n->instance, sizeof(n->instance), "host:%d:%s", (int)getpid(),
		 name);
	n->conf = redis_test_conf(n->instance, db);
	n->redis = redis_new(l, &n->conf, NULL, NULL);
	n->router = router_new(l, n->redis, &conf, &ops);
}

static inline void node_stop(struct node *n)
{
	router_free(&n->router);
	redis_free(&n->redis);
}

static inline void node_ready(struct node *n)
{
	WAIT_FOR(l, redis_up(n->redis) && n->subscribed);
}

static struct node a, b;

static inline void pair_start(unsigned db)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LVL_INFO);
	l = loop_new();
	admin_open(db);
	node_start(&a, "a", db);
	node_start(&b, "b", db);
	node_ready(&a);
	node_ready(&b);
}

static inline void pair_stop(void)
{
	node_stop(&a);
	node_stop(&b);
	admin_close();
	loop_free(&l);
}

struct outcome {
	unsigned calls;
	int err;
	struct route_result r;
};

static inline void on_outcome(void *arg, int err, const struct route_result *r)
{
	struct outcome *o = arg;

	o->calls++;
	o->err = err;
	o->r = *r;
}

static inline struct slice text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static inline struct envelope emit(const char *user, const char *event)
{
	return (struct envelope){ .kind = ENV_EMIT, .user_id = text(user),
				  .event = text(event) };
}

static inline struct envelope message(const char *user, const char *id)
{
	return (struct envelope){ .kind = ENV_MESSAGE, .user_id = text(user),
				  .event = SLICE("42[\"message:new\",{}]"),
				  .id = text(id), .match_id = SLICE("m"),
				  .sender_id = SLICE("bob"), .src = SLICE("s"),
				  .sent_at_ms = 1, .pos = 2 };
}

/* Sends and waits for the outcome. */
static inline struct outcome route(const struct envelope *e, enum router_extra extra)
{
	struct outcome o = { 0 };

	router_send(a.router, e, extra, on_outcome, &o);
	cr_assert_eq(o.calls, 0, "called back before the return");
	WAIT_FOR(l, o.calls > 0);
	cr_assert_eq(o.calls, 1);
	return o;
}

static inline void register_at(const char *user, const char *instance)
{
	admin_run("HSET pw:u:%s %s sid", user, instance);
}

#endif
