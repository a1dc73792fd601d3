/* Every script is idempotent and leaves a consistent state behind, so that a
 * caller who does not learn the outcome may simply repeat it. Keys are derived
 * in the scripts and not declared: this is for one Redis, not Redis Cluster.
 * ZADD LT needs Redis 6.2. */
#include "worker/presence_impl.h"

#define PRELUDE                                                                \
	"local call = redis.call\n"                                            \
	"local function now_ms()\n"                                            \
	"  local t = call('TIME')\n"                                           \
	"  return t[1] * 1000 + math.floor(t[2] / 1000)\n"                     \
	"end\n"                                                                \
	/* user is no longer on inst. On none at all: leaving, until due; and  \
	 * online until then, also for a Redis that lost it, or nobody would   \
	 * be told. Held by others: socket:<user> must name one of theirs. */  \
	"local function drop(user, inst, due)\n"                               \
	"  local key = 'pw:u:' .. user\n"                                      \
	"  local sid = call('HGET', key, inst)\n"                              \
	"  if sid then call('HDEL', key, inst) end\n"                          \
	"  local left = call('HVALS', key)\n"                                  \
	"  if #left == 0 then\n"                                               \
	"    call('SADD', 'online:users', user)\n"                             \
	"    call('ZADD', 'pw:leaving', 'LT', due, user)\n"                    \
	"  elseif sid and call('GET', 'socket:' .. user) == sid then\n"        \
	"    call('SET', 'socket:' .. user, left[1])\n"                        \
	"  end\n"                                                              \
	"end\n"                                                                \
	"local function set_aside(inst)\n"                                     \
	"  local from, to = 'pw:w:' .. inst, 'pw:d:' .. inst\n"                \
	"  if call('EXISTS', to) == 1 then\n"                                  \
	"    call('SUNIONSTORE', to, to, from)\n"                              \
	"    call('UNLINK', from)\n"                                           \
	"  elseif call('EXISTS', from) == 1 then\n"                            \
	"    call('RENAME', from, to)\n"                                       \
	"  end\n"                                                              \
	"end\n"                                                                \
	/* Its counter begins anew: if it was only asleep it learns by that,   \
	 * before anything else it is sent, that its routes were gone (M5). */ \
	"local function claim(inst)\n"                                         \
	"  call('ZREM', 'pw:instances', inst)\n"                               \
	"  call('DEL', 'pw:n:' .. inst)\n"                                     \
	"  call('SADD', 'pw:dead', inst)\n"                                    \
	"  set_aside(inst)\n"                                                  \
	"end\n"                                                                \
	/* The next `chunk` users of a dead instance; 1: there may be more. */ \
	"local function bury(inst, due, chunk)\n"                              \
	"  local users = call('SPOP', 'pw:d:' .. inst, chunk)\n"               \
	"  for _, user in ipairs(users) do\n"                                  \
	"    if call('SISMEMBER', 'pw:w:' .. inst, user) == 0 then\n"          \
	"      drop(user, inst, due)\n"                                        \
	"    end\n"                                                            \
	"  end\n"                                                              \
	"  if #users == chunk then return 1 end\n"                             \
	"  call('SREM', 'pw:dead', inst)\n"                                    \
	"  if not call('ZSCORE', 'pw:instances', inst) then\n"                 \
	"    call('DEL', 'pw:n:' .. inst, 'pw:e:' .. inst)\n"                  \
	"  end\n"                                                              \
	"  return 0\n"                                                         \
	"end\n"

/* ARGV: instance, epoch, grace_ms, then (letter, user, socket id) each: e
 * enters, l leaves (socket id ""). Reply: per change PRESENCE_NEW
 * and PRESENCE_UNREAD_LOST. */
struct redis_script presence_apply_script = {
	.name = "presence-apply",
	.text = PRELUDE
	"local inst, out = ARGV[1], {}\n"
	"local held, due = 'pw:w:' .. inst, now_ms() + ARGV[3]\n"
	"local stale = tonumber(call('GET', 'pw:e:' .. inst) or 0) > tonumber(ARGV[2])\n"
	"for i = 4, #ARGV, 3 do\n"
	"  local user, new = ARGV[i + 1], 0\n"
	"  if stale then\n"
	"    new = 0\n"
	"  elseif ARGV[i] == 'e' then\n"
	"    call('HSET', 'pw:u:' .. user, inst, ARGV[i + 2])\n"
	"    call('SADD', held, user)\n"
	"    call('ZREM', 'pw:leaving', user)\n"
	"    call('SET', 'socket:' .. user, ARGV[i + 2])\n"
	"    new = call('SADD', 'online:users', user)\n"
	"    if call('HEXISTS', 'pw:urb:' .. user, '') == 0 then new = new + 2 end\n"
	"  else\n"
	"    call('SREM', held, user)\n"
	"    drop(user, inst, due)\n"
	"  end\n"
	"  out[#out + 1] = new\n"
	"end\n"
	"return out\n",
};

/* ARGV: instance, epoch, lease_ms, "1": it registers all its users next. Those
 * that Redis has of it are set aside then: whom it does not name (who left while
 * Redis was away, or since the snapshot that it was restarted from) is to be
 * buried. Reply: TIME's seconds and microseconds, then 1 if the record was
 * missing, then how many users are online. */
struct redis_script presence_renew_script = {
	.name = "presence-renew",
	.text = PRELUDE
	"local inst, t = ARGV[1], call('TIME')\n"
	"local epoch = 'pw:e:' .. inst\n"
	"local missing = call('ZSCORE', 'pw:instances', inst) and 0 or 1\n"
	"if tonumber(call('GET', epoch) or -1) < tonumber(ARGV[2]) then\n"
	"  call('SET', epoch, ARGV[2])\n"
	"end\n"
	"call('ZADD', 'pw:instances', now_ms() + ARGV[3], inst)\n"
	"if ARGV[4] == '1' then set_aside(inst) end\n"
	"return { tonumber(t[1]), tonumber(t[2]), missing,\n"
	"         call('SCARD', 'online:users') }\n",
};

/* ARGV: instance, grace_ms, chunk, "1" to begin with it. Reply: 1 if called
 * for again. */
struct redis_script presence_bury_script = {
	.name = "presence-bury",
	.text = PRELUDE
	"if ARGV[4] == '1' then claim(ARGV[1]) end\n"
	"return bury(ARGV[1], now_ms() + ARGV[2], tonumber(ARGV[3]))\n",
};

/* ARGV: own instance, grace_ms, chunk, due users at most. Reply: 1 if called
 * for again, then the users who are offline now. */
struct redis_script presence_sweep_script = {
	.name = "presence-sweep",
	.text = PRELUDE
	"local now, limit = now_ms(), tonumber(ARGV[4])\n"
	"local more, out = 0, { 0 }\n"
	"local expired = call('ZRANGEBYSCORE', 'pw:instances', '-inf', now,\n"
	"                     'LIMIT', 0, 10)\n"
	"for _, inst in ipairs(expired) do\n"
	"  if inst ~= ARGV[1] then claim(inst) end\n"
	"end\n"
	"local dead = call('SRANDMEMBER', 'pw:dead')\n"
	"if dead then\n"
	"  more = bury(dead, now + ARGV[2], tonumber(ARGV[3]))\n"
	"  if call('EXISTS', 'pw:dead') == 1 then more = 1 end\n"
	"end\n"
	"local due = call('ZRANGEBYSCORE', 'pw:leaving', '-inf', now,\n"
	"                 'LIMIT', 0, limit)\n"
	"for _, user in ipairs(due) do\n"
	"  call('ZREM', 'pw:leaving', user)\n"
	"  if call('EXISTS', 'pw:u:' .. user) == 0 then\n"
	"    call('DEL', 'socket:' .. user)\n"
	"    if call('SREM', 'online:users', user) == 1 then\n"
	"      out[#out + 1] = user\n"
	"    end\n"
	"  end\n"
	"end\n"
	"if #due == limit then more = 1 end\n"
	"out[1] = more\n"
	"return out\n",
};
