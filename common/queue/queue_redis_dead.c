#include "common/queue/queue_redis_dead.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

/* ARGV: group, id, event, reason, attempts, time. The entry leaves the stream
 * with it: where it is gone, the dead letter was added before. The bound is what
 * keeps a provider that refuses everything from filling Redis. */
static struct redis_script dead_script = {
	.name = "push-dead",
	.text =
	"local call, stream = redis.call, '" PUSH_STREAM "'\n"
	"local group, id = ARGV[1], ARGV[2]\n"
	"if #call('XRANGE', stream, id, id) == 0 then\n"
	"  return 0\n"
	"end\n"
	"call('XADD', '" PUSH_DEAD_LETTER "', 'MAXLEN', '~', 1000000, '*',\n"
	"     'event', ARGV[3], 'reason', ARGV[4],\n"
	"     'source', stream .. '/' .. id,\n"
	"     'attempts', ARGV[5], 'time', ARGV[6])\n"
	"call('XACK', stream, group, id)\n"
	"return call('XDEL', stream, id)\n",
};

struct dead_letter {
	struct slice id, json, reason;
	char attempts[16];
	char time[TIME_ISO_LEN + 1];
	char text[];
};

void dead_letters_begin(struct redis *r)
{
	redis_script_add(r, &dead_script);
}

static struct slice copy(char **to, struct slice from)
{
	struct slice s = { *to, from.n };

	if (from.n > 0)
		memcpy(*to, from.p, from.n);
	*to += from.n;
	return s;
}

struct dead_letter *dead_letter_new(const struct push_reject *r)
{
	struct slice id = slice_of(r->entry);
	struct slice reason = slice_of(r->reason);
	struct dead_letter *d =
		mem_alloc(sizeof(*d) + id.n + r->json.n + reason.n);
	char *to = d->text;

	d->id = copy(&to, id);
	d->json = copy(&to, r->json);
	d->reason = copy(&to, reason);
	snprintf(d->attempts, sizeof(d->attempts), "%u", r->attempts);
	time_iso(clock_wall_us() / 1000, d->time);
	return d;
}

void dead_letter_send(struct redis *r, const char *group,
		      const struct dead_letter *d, redis_cb *cb, void *arg)
{
	const struct slice argv[] = { slice_of(group), d->id, d->json, d->reason,
				      slice_of(d->attempts), slice_of(d->time) };

	redis_eval(r, &dead_script, 0, (int)ARRAY_SIZE(argv), argv, cb, arg);
}
