-- Makes the copies of a code worthless, so that the next to ask loads them again. Locks in force
-- are kept for that copy. Whoever has read the code from Postgres before this is not to load it after:
-- the count of evictions tells.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   now   ms
-- ARGV[2]   keep  seconds after which an unused code is forgotten
--
-- Returns:
--   { "evicted" }
assert(#KEYS == 1 and #ARGV == 2, "evict: 1 key, 2 arguments")

local all = redis.call("HGETALL", KEYS[1])
for i = 1, #all, 2 do
  local r = #all[i] == ID and unpack_record(all[i + 1])
  if r and r.till > tonumber(ARGV[1]) then
    r.epoch = 0
    redis.call("HSET", KEYS[1], all[i], pack_record(r))
  elseif all[i] ~= EVICTIONS then
    redis.call("HDEL", KEYS[1], all[i])
  end
end
redis.call("HINCRBY", KEYS[1], EVICTIONS, 1)
redis.call("EXPIRE", KEYS[1], tonumber(ARGV[2]))
return { "evicted" }
