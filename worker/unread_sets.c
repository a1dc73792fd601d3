#include "worker/unread_sets.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/backend/redis.h"
#include "common/base/mem.h"

/* A token outlives the longest store operation. It is shared: two that begin at
 * once would otherwise end each other's for ever. ARGV: user, token, "1" in
 * doubt. Reply: the token, or nil. */
static struct redis_script begin_script = {
	.name = "unread-begin",
	.text =
	"local call, user = redis.call, ARGV[1]\n"
	"local urb, urt = 'pw:urb:' .. user, 'pw:urt:' .. user\n"
	"if ARGV[3] == '1' then\n"
	"  if call('EXISTS', urb) == 1 then\n"
	"    call('RENAME', urb, 'pw:urx:' .. user)\n"
	"  end\n"
	"  call('DEL', urt)\n"
	"elseif call('HEXISTS', urb, '') == 1 then\n"
	"  return false\n"
	"end\n"
	"call('SET', urt, ARGV[2], 'NX', 'EX', 60)\n"
	"return call('GET', urt)\n",
};

/* ARGV: user, token, (match, id)*n. Reply: 1 when they are whole. */
static struct redis_script replace_script = {
	.name = "unread-replace",
	.text =
	"local call, argv, user = redis.call, ARGV, ARGV[1]\n"
	"local urb, urt, urx = 'pw:urb:' .. user, 'pw:urt:' .. user, 'pw:urx:' .. user\n"
	"if call('HEXISTS', urb, '') == 1 then return 1 end\n"
	"if call('GET', urt) ~= argv[2] then return 0 end\n"
	"local sets = {}\n"
	"for _, match in ipairs(call('HKEYS', urx)) do\n"
	"  if match ~= '' then sets[match] = {} end\n"
	"end\n"
	"for i = 3, #argv, 2 do\n"
	"  local ids = sets[argv[i]] or {}\n"
	"  sets[argv[i]] = ids\n"
	"  if #ids < 1000 then ids[#ids + 1] = argv[i + 1] end\n"
	"end\n"
	"for match, ids in pairs(sets) do\n"
	"  local tail = match .. ':' .. user\n"
	"  call('DEL', 'pw:ur:' .. tail)\n"
	"  if #ids > 0 then\n"
	"    call('SADD', 'pw:ur:' .. tail, unpack(ids))\n"
	"    call('HSET', urb, match, #ids)\n"
	"  end\n"
	"  call('SET', 'unread:' .. tail, #ids)\n"
	"end\n"
	"call('HSET', urb, '', 0)\n"
	"call('DEL', urt, urx)\n"
	"return 1\n",
};

struct call {
	unread_begun_cb *begun;
	unread_replaced_cb *replaced;
	void *arg;
};

static void on_begun(void *arg, int err, const struct redisReply *reply)
{
	struct call *k = arg;

	k->begun(k->arg, err, err == 0 && reply->type == REDIS_REPLY_STRING ?
				      reply->str : NULL);
	free(k);
}

void unread_sets_begin(struct redis *r, const char *user_id, const char *token,
		       bool in_doubt, unread_begun_cb *cb, void *arg)
{
	struct slice argv[] = { slice_of(user_id), slice_of(token),
				in_doubt ? SLICE("1") : SLICE("0") };
	struct call *k = mem_alloc(sizeof(*k));

	*k = (struct call){ .begun = cb, .arg = arg };
	redis_eval(r, &begin_script, 0, ARRAY_SIZE(argv), argv, on_begun, k);
}

static void on_replaced(void *arg, int err, const struct redisReply *reply)
{
	struct call *k = arg;

	k->replaced(k->arg, err, err == 0 && reply->integer == 1);
	free(k);
}

void unread_sets_replace(struct redis *r, const char *user_id,
			 const char *token, const struct slice *pairs, size_t n,
			 unread_replaced_cb *cb, void *arg)
{
	struct slice *argv = mem_alloc((2 + 2 * n) * sizeof(*argv));
	struct call *k = mem_alloc(sizeof(*k));

	*k = (struct call){ .replaced = cb, .arg = arg };
	argv[0] = slice_of(user_id);
	argv[1] = slice_of(token);
	if (n > 0)
		memcpy(argv + 2, pairs, 2 * n * sizeof(*argv));
	redis_eval(r, &replace_script, 0, (int)(2 + 2 * n), argv, on_replaced,
		   k);
	free(argv);
}

void unread_sets_init(struct redis *r)
{
	redis_script_add(r, &begin_script);
	redis_script_add(r, &replace_script);
}
