-- Puts up to 1,000 events of the dead letter back into the push queue (Redis
-- Streams), oldest first, and says how many. Again until it says 0:
--   redis-cli --eval push-replay.lua push_notifications.dlq push_notifications
-- With a word behind " , " only those whose reason has it:
--   ... push_notifications.dlq push_notifications , InvalidProviderToken
local dead, queue = KEYS[1], KEYS[2]
local from, n = '-', 0
repeat
  local entries = redis.call('XRANGE', dead, from, '+', 'COUNT', 1000)
  for _, entry in ipairs(entries) do
    local id, f = entry[1], {}
    for i = 1, #entry[2], 2 do
      f[entry[2][i]] = entry[2][i + 1]
    end
    if not ARGV[1] or string.find(f.reason, ARGV[1], 1, true) then
      redis.call('XADD', queue, '*', 'event', f.event)
      redis.call('XDEL', dead, id)
      n = n + 1
      if n == 1000 then
        return n
      end
    end
    from = '(' .. id
  end
until #entries == 0
return n
