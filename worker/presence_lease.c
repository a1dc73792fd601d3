#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/stats.h"
#include "worker/presence_impl.h"

/* Users looked at in one script call: about a millisecond of Redis. */
#define BURY_USERS 250
#define DUE_USERS 100
#define NUMBER(n) NUMBER_(n)
#define NUMBER_(n) SLICE(#n)

/* due checks: often enough for the shortest grace, and no more than needed */
#define SWEEP_MIN_MS 100
#define SWEEP_MAX_MS 1000

/* An instance that is being cleared up, chunk after chunk. */
struct burial {
	char *instance;
	bool retires;		/* our own, for good */
};

static void register_all(struct presence *p, enum presence_why why)
{
	p->stale = false;
	p->ops.reregister(p->ops.arg, why);
}

/* arg: non-NULL when all is being registered anyway. */
static void on_renewed(struct presence *p, int err, const redisReply *reply,
		       void *arg)
{
	bool missing;

	p->renewing = false;
	if (err == -ECANCELED || p->retired)
		return;
	if (err != 0 || reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != 4) {
		stats_set(STAT_cluster_online_users, 0);
		return;
	}
	cluster_clock_sync(reply->element[0]->integer * 1000000 +
			   reply->element[1]->integer,
			   p->renew_sent_us, clock_mono_us());
	stats_set(STAT_cluster_online_users, reply->element[3]->integer);
	missing = reply->element[2]->integer == 1 && arg == NULL;
	if (missing && p->renewed)
		log_warn("lease was lost: registering all users again");
	p->renewed = true;
	presence_repeat_leaves(p);
	if (missing || p->stale)
		register_all(p, PRESENCE_FORGOTTEN);
}

static void renew(struct presence *p, void *registering)
{
	char epoch[24];
	struct slice argv[4];

	if (p->renewing || p->retired)
		return;
	snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)p->epoch);
	argv[0] = slice_of(p->instance);
	argv[1] = slice_of(epoch);
	argv[2] = slice_of(p->lease_ms);
	argv[3] = registering != NULL ? SLICE("1") : SLICE("0");
	p->renewing = true;
	p->renew_sent_us = clock_mono_us();
	presence_eval(p, &presence_renew_script, 4, argv, on_renewed, registering);
}

static void on_renew_timer(void *arg)
{
	struct presence *p = arg;

	timer_arm(&p->renew, p->renew_ms);
	if (redis_up(p->redis))
		renew(p, NULL);
	else
		stats_set(STAT_cluster_online_users, 0);	/* who knows */
}

static void on_swept(struct presence *p, int err, const redisReply *reply,
		     void *arg)
{
	(void)arg;
	p->sweeping = false;
	if (err != 0 || reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
		return;
	for (size_t i = 1; i < reply->elements; i++)
		p->ops.changed(p->ops.arg, reply->element[i]->str, false);
	if (reply->element[0]->integer == 1 && !p->retired)
		timer_arm(&p->sweep, 0);
}

static void on_sweep_timer(void *arg)
{
	struct presence *p = arg;
	struct slice argv[] = { slice_of(p->instance), slice_of(p->grace_ms),
				NUMBER(BURY_USERS), NUMBER(DUE_USERS) };

	timer_arm(&p->sweep, p->sweep_ms);
	if (p->sweeping || !redis_up(p->redis))
		return;
	p->sweeping = true;
	presence_eval(p, &presence_sweep_script, (int)ARRAY_SIZE(argv), argv,
		      on_swept, NULL);
}

static void bury(struct presence *p, struct burial *b, bool first);

/* An instance that stays half buried is in pw:dead: the sweep goes on. */
static void on_buried(struct presence *p, int err, const redisReply *reply,
		      void *arg)
{
	struct burial *b = arg;

	if (err == 0 && reply->integer == 1) {
		bury(p, b, false);
		return;
	}
	if (b->retires && p->retire_cb != NULL && err != -ECANCELED)
		p->retire_cb(p->retire_arg);
	free(b->instance);
	free(b);
}

static void bury(struct presence *p, struct burial *b, bool first)
{
	struct slice argv[] = { slice_of(b->instance), slice_of(p->grace_ms),
				NUMBER(BURY_USERS),
				first ? SLICE("1") : SLICE("0") };

	presence_eval(p, &presence_bury_script, (int)ARRAY_SIZE(argv), argv,
		      on_buried, b);
}

/* Redis may remember others than those who are here: each of ours enters again,
 * and who is left over is buried. */
void presence_redis_up(struct presence *p)
{
	struct burial *b;

	if (p->retired)
		return;
	p->epoch++;
	presence_doubt_leaves(p);
	timer_arm(&p->renew, p->renew_ms);
	renew(p, p);
	register_all(p, redis_had_trouble(p->redis) ? PRESENCE_RECONNECTED :
						      PRESENCE_FIRST);
	presence_flush(p);
	b = mem_zalloc(sizeof(*b));
	b->instance = mem_strdup(p->instance);
	bury(p, b, false);
}

void presence_reap(struct presence *p, const char *instance)
{
	struct burial *b;

	if (p->retired || strcmp(instance, p->instance) == 0)
		return;
	b = mem_zalloc(sizeof(*b));
	b->instance = mem_strdup(instance);
	bury(p, b, true);
}

void presence_retire(struct presence *p, void (*cb)(void *arg), void *arg)
{
	struct burial *b;

	if (p->retired)
		return;
	presence_flush(p);
	p->retired = true;
	p->retire_cb = cb;
	p->retire_arg = arg;
	timer_disarm(&p->renew);
	timer_disarm(&p->sweep);
	b = mem_zalloc(sizeof(*b));
	b->instance = mem_strdup(p->instance);
	b->retires = true;
	bury(p, b, true);
}

void presence_set_sweep(struct presence *p, int64_t grace_ms)
{
	p->sweep_ms = grace_ms;
	if (p->sweep_ms < SWEEP_MIN_MS)
		p->sweep_ms = SWEEP_MIN_MS;
	if (p->sweep_ms > SWEEP_MAX_MS)
		p->sweep_ms = SWEEP_MAX_MS;
}

void presence_lease_init(struct presence *p)
{
	redis_script_add(p->redis, &presence_renew_script);
	redis_script_add(p->redis, &presence_bury_script);
	redis_script_add(p->redis, &presence_sweep_script);
	timer_init(&p->renew, p->loop, on_renew_timer, p);
	timer_init(&p->sweep, p->loop, on_sweep_timer, p);
	timer_arm(&p->renew, 0);
	timer_arm(&p->sweep, p->sweep_ms);
}

void presence_lease_free(struct presence *p)
{
	timer_free(&p->renew);
	timer_free(&p->sweep);
}
