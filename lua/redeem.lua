-- Reserves one redemption of a voucher; Postgres confirms it, then HINCRBY takes the mark away.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   id     of the voucher, 16 bytes
-- ARGV[2]   claim  packed as lib/claim.lua has it; `need` is taken off the balance, 0 for a discount
--
-- Returns the first that holds; a record comes without its facts:
--   { "missing" }                           Redis does not hold it (any more)
--   { "changed" }                           its facts are of another version
--   { "expired", record, reservations }     its span is over, and this machine holds no lock
--   { "redemption_limit_reached", record, reservations }
--   { "insufficient_balance", record, reservations }
--   { "locked", record, reservations }      another machine holds it
--   { "reserved", record }                  done; the record still shows the lock of this machine, which is over
--                                           (unless it is to go on)
count, balance = count + 1, balance - need
local header = struct.pack(LAYOUT, epoch, version, gen, revision, period, count, balance, now, owner, till)
local kept = header
if owner == machine and hold == 0 then
  kept = struct.pack(LAYOUT, epoch, version, gen, revision, period, count, balance, now, 0, 0)
end
-- One write, so that the append-only file has no transaction to hold.
redis.call("HSET", key, id, kept .. facts, marks, (redis.call("HGET", key, marks) or 0) + 1)
return { "reserved", header }
