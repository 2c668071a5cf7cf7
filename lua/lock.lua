-- Holds a voucher for one machine until a given time, or renews its hold.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   id       of the voucher, 16 bytes
-- ARGV[2]   epoch    the least that a copy must be of
-- ARGV[3]   version  of the facts that the caller decided by
-- ARGV[4]   now      ms
-- ARGV[5]   period   start of the current period, ms
-- ARGV[6]   initial  balance that a period starts with, cents
-- ARGV[7]   limit    redemptions a period; -1: none
-- ARGV[8]   need     balance that there must be at least, cents
-- ARGV[9]   machine  who asks
-- ARGV[10]  till     ms
--
-- Returns the first that holds:
--   { "missing" }                           Redis does not hold it (any more)
--   { "changed" }                           its facts are of another version
--   { "redemption_limit_reached", record, reservations }
--   { "insufficient_balance", record, reservations }
--   { "locked", record, reservations }      another machine holds it
--   { "held", record }                      done
assert(#KEYS == 1 and #ARGV == 10, "lock: 1 key, 10 arguments")

local r, refusal = usable(KEYS[1], {
  id = ARGV[1], epoch = tonumber(ARGV[2]), version = tonumber(ARGV[3]), now = tonumber(ARGV[4]),
  period = tonumber(ARGV[5]), initial = tonumber(ARGV[6]), limit = tonumber(ARGV[7]), need = tonumber(ARGV[8]),
  machine = tonumber(ARGV[9]),
})
if not r then return refusal end

r.owner, r.till = tonumber(ARGV[9]), tonumber(ARGV[10])
local bytes = pack_record(r)
redis.call("HSET", KEYS[1], ARGV[1], bytes)
return { "held", bytes }
