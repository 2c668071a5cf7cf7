-- What lock and redeem have in common: find the copy, see whether it may be trusted, start a new
-- period where one is due, and refuse for counters, balance or another's lock, in that order.
--
-- ask: id, epoch, version, now, period, initial, limit (-1: none), need (cents of balance; 0: none), machine
-- Returns the record, or nothing and the reply to give.
local function usable(key, ask)
  local bytes = redis.call("HGET", key, ask.id)
  if not bytes then return nil, { "missing" } end
  local r = unpack_record(bytes)
  if r.epoch == 0 or r.epoch < ask.epoch then return nil, { "missing" } end
  if r.version ~= ask.version then return nil, { "changed" } end
  if r.period < ask.period then
    r.period, r.count, r.balance = ask.period, 0, ask.initial
  end
  local word
  if ask.limit >= 0 and r.count >= ask.limit then
    word = "redemption_limit_reached"
  elseif ask.need > r.balance then
    word = "insufficient_balance"
  elseif r.owner ~= 0 and r.owner ~= ask.machine and r.till > ask.now then
    word = "locked"
  end
  if word then return nil, { word, pack_record(r), redis.call("HGET", key, marks(ask.id, r)) or "0" } end
  return r
end
