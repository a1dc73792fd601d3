/* The keys are derived in the scripts and not declared: Pairwire uses one Redis
 * (or a primary with replicas), not Redis Cluster, which alone needs KEYS. */
#include "worker/router_script.h"

/* Two passes, so that one INCRBY per destination reserves the counters of all
 * its messages before the first of them is published: whatever fails later, a
 * counter is never used twice. holders[] keeps who holds a user for the rest of
 * the call. Written flat: a closure or a table more is felt in what each
 * message costs (tests/servers/test_router.c prints it).
 *
 * Nobody listening: an instance that has its lease is only subscribing anew, or
 * has just died and is about to be reaped; its users count as leaving until one
 * or the other is settled, and keep their route. An instance without a lease is
 * gone for good, and so is its field; a user who thereby is on no instance at
 * all falls due as offline at once.
 *
 * Unread: the hash counts along, which saves a SCARD for each message; read and
 * the cap set it to the set's size. */
struct redis_script route_script = {
	.name = "route",
	.text =
	"local call, argv, own, version = redis.call, ARGV, ARGV[1], string.char(1)\n"
	"local holders, need, out, n = {}, {}, {}, #ARGV\n"
	"local i = 2\n"
	"while i <= n do\n"
	"  local op, user = argv[i], argv[i + 1]\n"
	"  if op == 'r' then\n"
	"    i = i + 4 + argv[i + 3]\n"
	"  else\n"
	"    local h = holders[user]\n"
	"    if not h then\n"
	"      h = call('HKEYS', 'pw:u:' .. user)\n"
	"      holders[user] = h\n"
	"    end\n"
	"    for k = 1, #h do\n"
	"      local inst = h[k]\n"
	"      if inst ~= own then need[inst] = (need[inst] or 0) + 1 end\n"
	"    end\n"
	"    i = i + ((op == 'p' and 3) or (op == 'u' and 5) or 4)\n"
	"  end\n"
	"end\n"
	"for inst, count in pairs(need) do\n"
	"  need[inst] = call('INCRBY', 'pw:n:' .. inst, count) - count\n"
	"end\n"
	"i = 2\n"
	"while i <= n do\n"
	"  local op, user = argv[i], argv[i + 1]\n"
	"  local result = 0\n"
	"  if op == 'r' then\n"
	"    local match, last = argv[i + 2], i + 3 + argv[i + 3]\n"
	"    local key = 'pw:ur:' .. match .. ':' .. user\n"
	"    call('SREM', key, unpack(argv, i + 4, last))\n"
	"    local size = call('SCARD', key)\n"
	"    call('SET', 'unread:' .. match .. ':' .. user, size)\n"
	"    if size > 0 then\n"
	"      call('HSET', 'pw:urb:' .. user, match, size)\n"
	"    else\n"
	"      call('HDEL', 'pw:urb:' .. user, match)\n"
	"    end\n"
	"    i = last + 1\n"
	"  else\n"
	"    local h, body, present, leaving = holders[user], argv[i + 2], 0, 0\n"
	"    for k = #h, 1, -1 do\n"
	"      local inst = h[k]\n"
	"      if inst == own then\n"
	"        present = 2\n"
	"      else\n"
	"        local c = need[inst] + 1\n"
	"        need[inst] = c\n"
	"        if call('PUBLISH', 'pw:c:' .. inst, version .. c .. ':' .. body) > 0 then\n"
	"          result = result + 4\n"
	"        elseif call('ZSCORE', 'pw:instances', inst) then\n"
	"          leaving = 1\n"
	"        else\n"
	"          call('HDEL', 'pw:u:' .. user, inst)\n"
	"          call('DEL', 'pw:n:' .. inst)\n"
	"          table.remove(h, k)\n"
	"          if #h == 0 then call('ZADD', 'pw:leaving', 'NX', 0, user) end\n"
	"        end\n"
	"      end\n"
	"    end\n"
	"    if result + present > 0 then\n"
	"      result = result + present\n"
	"    elseif leaving == 1 or\n"
	"           tonumber(call('ZSCORE', 'pw:leaving', user) or 0) > 0 then\n"
	"      result = 1\n"
	"    end\n"
	"    if op == 'p' then\n"
	"      i = i + 3\n"
	"    elseif op == 'u' then\n"
	"      local match, id = argv[i + 3], argv[i + 4]\n"
	"      local tail = match .. ':' .. user\n"
	"      if call('SADD', 'pw:ur:' .. tail, id) == 1 then\n"
	"        local size = call('HINCRBY', 'pw:urb:' .. user, match, 1)\n"
	"        if size > 1000 then\n"
	"          size = call('SCARD', 'pw:ur:' .. tail)\n"
	"          if size > 1000 then\n"
	"            call('SREM', 'pw:ur:' .. tail, id)\n"
	"            size = 1000\n"
	"          end\n"
	"          call('HSET', 'pw:urb:' .. user, match, size)\n"
	"        end\n"
	"        call('SET', 'unread:' .. tail, size)\n"
	"      end\n"
	"      i = i + 5\n"
	"    else\n"
	"      if op == 't' then\n"
	"        call('SET', argv[i + 3], '1', 'EX', 5)\n"
	"      else\n"
	"        call('DEL', argv[i + 3])\n"
	"      end\n"
	"      i = i + 4\n"
	"    end\n"
	"  end\n"
	"  out[#out + 1] = result\n"
	"end\n"
	"return out\n",
};

/* A counter that is not there was never, or went with the data or with the
 * instance's record (presence_bury_script): begun at the time, so that it is
 * neither what the instance saw last nor what would follow that. In tenths of a
 * millisecond: Lua writes numbers with 14 digits. */
struct redis_script tick_script = {
	.name = "tick",
	.text =
	"local call, key = redis.call, 'pw:n:' .. ARGV[1]\n"
	"local n, t = call('GET', key), call('TIME')\n"
	"if not n then\n"
	"  n = string.format('%d%04d', t[1], t[2] / 100)\n"
	"  call('SET', key, n)\n"
	"end\n"
	"return call('PUBLISH', 'pw:c:' .. ARGV[1], string.char(1) .. n .. ':~' ..\n"
	"            string.format('%d%06d', t[1], t[2]))\n",
};
