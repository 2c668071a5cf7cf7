-- Makes the copies of a code worthless, so that the next to ask loads them again. Locks in force
-- are kept for that copy.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   now  ms
--
-- Returns:
--   { "evicted" }
assert(#KEYS == 1 and #ARGV == 1, "evict: 1 key, 1 argument")

local all = redis.call("HGETALL", KEYS[1])
for i = 1, #all, 2 do
  local r = #all[i] == ID and unpack_record(all[i + 1])
  if r and r.till > tonumber(ARGV[1]) then
    r.epoch = 0
    redis.call("HSET", KEYS[1], all[i], pack_record(r))
  else
    redis.call("HDEL", KEYS[1], all[i])
  end
end
return { "evicted" }
