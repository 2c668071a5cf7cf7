-- Reserves one redemption of a voucher; Postgres confirms it, then HINCRBY takes the mark away.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   id       of the voucher, 16 bytes
-- ARGV[2]   epoch    the least that a copy must be of
-- ARGV[3]   version  of the facts that the caller decided by
-- ARGV[4]   now      ms
-- ARGV[5]   period   start of the current period, ms
-- ARGV[6]   initial  balance that a period starts with, cents
-- ARGV[7]   limit    redemptions a period; -1: none
-- ARGV[8]   need     cents to take off the balance; 0 for a discount
-- ARGV[9]   machine  who asks
--
-- Returns the first that holds:
--   { "missing" }                           Redis does not hold it (any more)
--   { "changed" }                           its facts are of another version
--   { "redemption_limit_reached", record, reservations }
--   { "insufficient_balance", record, reservations }
--   { "locked", record, reservations }      another machine holds it
--   { "reserved", record }                  done; the record still shows the lock of this machine, which is over
assert(#KEYS == 1 and #ARGV == 9, "redeem: 1 key, 9 arguments")

local machine, now, need = tonumber(ARGV[9]), tonumber(ARGV[4]), tonumber(ARGV[8])
local r, refusal = usable(KEYS[1], {
  id = ARGV[1], epoch = tonumber(ARGV[2]), version = tonumber(ARGV[3]), now = now,
  period = tonumber(ARGV[5]), initial = tonumber(ARGV[6]), limit = tonumber(ARGV[7]), need = need,
  machine = machine,
})
if not r then return refusal end

r.count, r.balance = r.count + 1, r.balance - need
r.since = now
local bytes = pack_record(r)
if r.owner == machine then r.owner, r.till = 0, 0 end
redis.call("HSET", KEYS[1], ARGV[1], pack_record(r))
redis.call("HINCRBY", KEYS[1], marks(ARGV[1], r), 1)
return { "reserved", bytes }
