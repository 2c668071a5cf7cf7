-- Gives a machine's lock back.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   id       of the voucher, 16 bytes
-- ARGV[2]   machine  whose lock
-- ARGV[3]   now      ms
--
-- Returns:
--   { "not_held" }  it has none (any more)
--   { "released" }  done
assert(#KEYS == 1 and #ARGV == 3, "release: 1 key, 3 arguments")

local bytes = redis.call("HGET", KEYS[1], ARGV[1])
if not bytes then return { "not_held" } end
local r = unpack_record(bytes)
if r.owner ~= tonumber(ARGV[2]) or r.till <= tonumber(ARGV[3]) then return { "not_held" } end

r.owner, r.till = 0, 0
redis.call("HSET", KEYS[1], ARGV[1], pack_record(r))
return { "released" }
