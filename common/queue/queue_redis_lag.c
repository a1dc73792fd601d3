#include "common/queue/queue_redis_lag.h"

#include <errno.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/mem.h"
#include "common/loop/loop.h"
#include "common/queue/push_queue.h"

#define ASK_MS 2000

/* ARGV: group. Redis does not know the lag (7.0) of a group whose stream was
 * deleted from ahead of it, and none before 7.0: what is in the stream has been
 * handed out (and is pending), or has not. */
static struct redis_script lag_script = {
	.name = "push-lag",
	.text =
	"local stream = '" PUSH_STREAM "'\n"
	"local groups = redis.pcall('XINFO', 'GROUPS', stream)\n"
	"for _, fields in ipairs(groups) do\n"
	"  local group = {}\n"
	"  for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end\n"
	"  if group.name == ARGV[1] then\n"
	"    return group.lag or redis.call('XLEN', stream) - group.pending\n"
	"  end\n"
	"end\n"
	"return -1\n",
};

struct lag {
	struct redis *redis;
	struct timer ask;
	struct slice group;
	int64_t entries;
};

static void on_lag(void *arg, int err, const struct redisReply *reply)
{
	struct lag *l = arg;

	if (err == -ECANCELED)
		return;
	l->entries = err == 0 && reply->type == REDIS_REPLY_INTEGER ?
			     reply->integer : -1;
}

static void on_ask(void *arg)
{
	struct lag *l = arg;

	timer_arm(&l->ask, ASK_MS);
	redis_eval(l->redis, &lag_script, 0, 1, &l->group, on_lag, l);
}

struct lag *lag_new(struct loop *loop, struct redis *redis, const char *group)
{
	struct lag *l = mem_zalloc(sizeof(*l));

	l->redis = redis;
	l->group = slice_of(mem_strdup(group));
	l->entries = -1;
	redis_script_add(redis, &lag_script);
	timer_init(&l->ask, loop, on_ask, l);
	timer_arm(&l->ask, ASK_MS);
	return l;
}

void lag_free(struct lag **lp)
{
	struct lag *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	timer_free(&l->ask);
	free((void *)(uintptr_t)l->group.p);
	free(l);
}

int64_t lag_known(const struct lag *l)
{
	return l->entries;
}
