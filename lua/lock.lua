-- Holds a voucher for one machine until a given time, or renews its hold.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   id     of the voucher, 16 bytes
-- ARGV[2]   claim  packed as lib/claim.lua has it; `need` is the balance that there must be, cents
--
-- Returns the first that holds; a record comes without its facts:
--   { "missing" }                           Redis does not hold it (any more)
--   { "changed" }                           its facts are of another version
--   { "redemption_limit_reached", record, reservations }
--   { "insufficient_balance", record, reservations }
--   { "locked", record, reservations }      another machine holds it
--   { "held", record }                      done
local header = struct.pack(LAYOUT, epoch, version, gen, revision, period, count, balance, since, machine, hold)
redis.call("HSET", key, id, header .. facts)
return { "held", header }
