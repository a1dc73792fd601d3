/* Questions to presence that change nothing about anybody. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/presence_impl.h"

struct question {
	presence_online_cb *cb;
	void *arg;
	size_t n;
};

static void on_online(struct presence *p, int err, const redisReply *reply,
		      void *arg)
{
	struct question *q = arg;
	bool *online = NULL;

	(void)p;
	if (err == 0 && (reply->type != REDIS_REPLY_ARRAY ||
			 reply->elements < q->n))
		err = -EREMOTEIO;
	if (err == 0) {
		online = mem_zalloc(q->n + 1);
		for (size_t i = 0; i < q->n; i++)
			online[i] = reply->element[i]->integer == 1;
	}
	q->cb(q->arg, err, online, err == 0 ? q->n : 0);
	free(online);
	free(q);
}

void presence_online(struct presence *p, const char *const *user_ids, size_t n,
		     presence_online_cb *cb, void *arg)
{
	struct slice *argv = mem_alloc((3 + n) * sizeof(*argv));
	struct question *q = mem_alloc(sizeof(*q));
	int argc = 0;

	*q = (struct question){ cb, arg, n };
	argv[argc++] = SLICE("SMISMEMBER");
	argv[argc++] = SLICE("online:users");
	for (size_t i = 0; i < n; i++)
		argv[argc++] = slice_of(user_ids[i]);
	if (n == 0)
		argv[argc++] = SLICE("");	/* it wants to be asked something */
	presence_command(p, argc, argv, on_online, q);
	free(argv);
}

struct names_question {
	presence_names_cb *cb;
	void *arg;
};

static void on_names(struct presence *p, int err, const redisReply *reply,
		     void *arg)
{
	struct names_question *q = arg;
	const char **names = NULL;
	size_t n = 0;

	(void)p;
	if (err == 0 && reply->type != REDIS_REPLY_ARRAY)
		err = -EREMOTEIO;
	if (err == 0)
		names = mem_zalloc((reply->elements + 1) * sizeof(*names));
	for (size_t i = 0; err == 0 && i < reply->elements; i++)
		if (reply->element[i]->type == REDIS_REPLY_STRING)
			names[n++] = reply->element[i]->str;
	q->cb(q->arg, err, names, n);
	free(names);
	free(q);
}

static void ask_names(struct presence *p, int argc, const struct slice *argv,
		      presence_names_cb *cb, void *arg)
{
	struct names_question *q = mem_alloc(sizeof(*q));

	*q = (struct names_question){ cb, arg };
	presence_command(p, argc, argv, on_names, q);
}

void presence_holders(struct presence *p, const char *user_id,
		      presence_names_cb *cb, void *arg)
{
	char key[sizeof("pw:u:") + PW_ID_MAX];
	struct slice argv[] = { SLICE("HKEYS"), { key, 0 } };

	argv[1].n = (size_t)snprintf(key, sizeof(key), "pw:u:%.*s", PW_ID_MAX,
				     user_id);
	ask_names(p, (int)ARRAY_SIZE(argv), argv, cb, arg);
}

void presence_instances(struct presence *p, presence_names_cb *cb, void *arg)
{
	char now[24];
	struct slice argv[] = { SLICE("ZRANGEBYSCORE"), SLICE("pw:instances"),
				{ now, 0 }, SLICE("+inf") };

	argv[2].n = (size_t)snprintf(now, sizeof(now), "%lld",
				     (long long)cluster_now_ms());
	ask_names(p, (int)ARRAY_SIZE(argv), argv, cb, arg);
}

/* ARGV: job, own instance, hold_ms. Reply: 1 if it leads. */
static struct redis_script lead_script = {
	.name = "presence-lead",
	.text =
	"local key = 'pw:lead:' .. ARGV[1]\n"
	"local leader = redis.call('GET', key)\n"
	"if leader and leader ~= ARGV[2] then return 0 end\n"
	"redis.call('SET', key, ARGV[2], 'PX', ARGV[3])\n"
	"return 1\n",
};

struct candidacy {
	void (*cb)(void *arg, int err, bool yes);
	void *arg;
};

static void on_lead(struct presence *p, int err, const redisReply *reply,
		    void *arg)
{
	struct candidacy *c = arg;

	(void)p;
	if (err == 0 && reply->type != REDIS_REPLY_INTEGER)
		err = -EREMOTEIO;
	c->cb(c->arg, err, err == 0 && reply->integer == 1);
	free(c);
}

void presence_lead(struct presence *p, const char *job, unsigned hold_ms,
		   void (*cb)(void *arg, int err, bool yes), void *arg)
{
	struct candidacy *c = mem_alloc(sizeof(*c));
	char ms[16];
	struct slice argv[3] = { slice_of(job), slice_of(p->instance) };

	*c = (struct candidacy){ cb, arg };
	snprintf(ms, sizeof(ms), "%u", hold_ms);
	argv[2] = slice_of(ms);
	presence_eval(p, &lead_script, 3, argv, on_lead, c);
}

void presence_ask_init(struct presence *p)
{
	redis_script_add(p->redis, &lead_script);
}
