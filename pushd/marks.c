#include "pushd/marks.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/mem.h"

#define HAD_USUAL 8

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* ARGV: user, keys. Reply: the badge, then the devices. Field "" says that the
 * counts are whole (M9). */
static struct redis_script get_script = {
	.name = "push-marks",
	.text =
	"local call, keys = redis.call, {}\n"
	"local urb, sum = 'pw:urb:' .. ARGV[1], -1\n"
	"if call('HEXISTS', urb, '') == 1 then\n"
	"  sum = 0\n"
	"  for _, n in ipairs(call('HVALS', urb)) do sum = sum + n end\n"
	"end\n"
	"for i = 2, #ARGV do keys[i - 1] = 'pw:pd:' .. ARGV[i] end\n"
	"local out = call('SUNION', unpack(keys))\n"
	"table.insert(out, 1, sum)\n"
	"return out\n",
};

/* One script, so that no set stays for ever as its EXPIRE was lost. ARGV: key,
 * devices. */
static struct redis_script had_script = {
	.name = "push-had",
	.text =
	"local key = 'pw:pd:' .. ARGV[1]\n"
	"redis.call('SADD', key, unpack(ARGV, 2))\n"
	"return redis.call('EXPIRE', key, " TEXT(MARKS_TTL_S) ")\n",
};

struct marks {
	struct redis *redis;
};

struct call {
	marks_cb *got;
	void (*had)(void *arg, int err);
	void *arg;
};

static void tell(const struct call *k, const struct redisReply *reply)
{
	struct slice usual[HAD_USUAL], *had = usual;
	struct marks_answer a = { .badge = reply->element[0]->integer,
				  .n = reply->elements - 1 };

	if (a.n > HAD_USUAL)
		had = mem_alloc(a.n * sizeof(*had));
	for (size_t i = 0; i < a.n; i++) {
		const struct redisReply *id = reply->element[i + 1];

		had[i] = (struct slice){ id->str, (size_t)id->len };
	}
	a.had = had;
	k->got(k->arg, &a);
	if (had != usual)
		free(had);
}

static void on_got(void *arg, int err, const struct redisReply *reply)
{
	struct call *k = arg;

	if (err == 0)
		tell(k, reply);
	else
		k->got(k->arg, &(struct marks_answer){ .err = err, .badge = -1 });
	free(k);
}

static void on_had(void *arg, int err, const struct redisReply *reply)
{
	struct call *k = arg;

	(void)reply;
	k->had(k->arg, err);
	free(k);
}

/* The script's arguments: first, then n more. */
static void eval(struct marks *m, struct redis_script *script, const char *first,
		 const char *const *more, size_t n, redis_cb *cb,
		 const struct call *call)
{
	struct slice usual[1 + HAD_USUAL], *argv = usual;
	struct call *k = mem_alloc(sizeof(*k));

	*k = *call;
	if (n > HAD_USUAL)
		argv = mem_alloc((1 + n) * sizeof(*argv));
	argv[0] = slice_of(first);
	for (size_t i = 0; i < n; i++)
		argv[i + 1] = slice_of(more[i]);
	redis_eval(m->redis, script, 0, (int)(1 + n), argv, cb, k);
	if (argv != usual)
		free(argv);
}

void marks_get(struct marks *m, const char *user_id, const char *const *keys,
	       size_t n, marks_cb *cb, void *arg)
{
	struct call k = { .got = cb, .arg = arg };

	eval(m, &get_script, user_id, keys, n, on_got, &k);
}

void marks_had(struct marks *m, const char *key, const char *const *device_ids,
	       size_t n, void (*cb)(void *arg, int err), void *arg)
{
	struct call k = { .had = cb, .arg = arg };

	eval(m, &had_script, key, device_ids, n, on_had, &k);
}

struct marks *marks_new(struct redis *r)
{
	struct marks *m = mem_alloc(sizeof(*m));

	m->redis = r;
	redis_script_add(r, &get_script);
	redis_script_add(r, &had_script);
	return m;
}

void marks_free(struct marks **m)
{
	free(*m);
	*m = NULL;
}
