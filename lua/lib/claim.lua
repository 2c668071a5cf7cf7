-- What lock and redeem begin with: find the copy, see whether it may be trusted, start a new period
-- where one is due, and refuse for its end, counters, balance or another's lock, in that order. It leaves what
-- it read in locals; tables and functions would cost a third more, and every vend waits for this.
--
-- The claim is packed, in this order:
--   least     epoch that a copy must be of
--   known     version of the facts that the caller decided by
--   now       ms
--   due       last reset, ms: what a period that began before it has counted is over
--   initial   balance that a period starts with, cents
--   limit     redemptions a period; -1: none
--   need      balance that there must be at least, cents
--   machine   who asks
--   hold      until when to hold it, ms; 0 where it is redeemed; below 0 where it is redeemed about the end of
--             its span, which -hold is: after that only the holder of a lock may, and its lock goes on
assert(#KEYS == 1 and #ARGV == 2, "claim: 1 key, 2 arguments")

local key, id = KEYS[1], ARGV[1]
local least, known, now, due, initial, limit, need, machine, hold = struct.unpack("<I4I4i8i8i8i8i8i8i8", ARGV[2])
local bytes = redis.call("HGET", key, id)
if not bytes then return { "missing" } end

local epoch, version, gen, revision, period, count, balance, since, owner, till = struct.unpack(LAYOUT, bytes)
if epoch == 0 or epoch < least then return { "missing" } end
if version ~= known then return { "changed" } end
if period < due then
  period, count, balance = due, 0, initial
end

local marks = "p" .. id .. string.sub(bytes, GEN, GEN_END)
local refusal
if hold < 0 and now >= -hold and (owner ~= machine or till <= now) then
  refusal = "expired"
elseif limit >= 0 and count >= limit then
  refusal = "redemption_limit_reached"
elseif need > balance then
  refusal = "insufficient_balance"
elseif owner ~= 0 and owner ~= machine and till > now then
  refusal = "locked"
end
if refusal then
  local header = struct.pack(LAYOUT, epoch, version, gen, revision, period, count, balance, since, owner, till)
  return { refusal, header, redis.call("HGET", key, marks) or "0" }
end

local facts = string.sub(bytes, LENGTH + 1)
