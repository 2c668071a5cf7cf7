-- A voucher in Redis: a field of the hash of its code, named by its id (16 bytes); 72 bytes that
-- change with every vend, then its facts, which only Rust reads.
--
--   epoch     copies of an older epoch are worthless, whatever they say; so are those of epoch 0
--   version   of the facts that follow
--   gen       of this copy: a reservation is settled only in the copy that it was made in
--   pending   reservations that Postgres has not confirmed yet
--   revision  of the row in Postgres that this copy was made from
--   period    start of the period that the counters are about, ms
--   count     redemptions in it, reservations included
--   balance   cents left, reservations taken off; 0 for a discount
--   since     when `pending` was last known to move, ms
--   owner     the machine that holds the lock; 0: nobody
--   till      when the lock is over, ms
local LAYOUT, LENGTH = "<I4I4I4I4i8i8i8i8i8i8i8", 72

local function unpack_record(bytes)
  local r = {}
  r.epoch, r.version, r.gen, r.pending, r.revision, r.period, r.count, r.balance, r.since, r.owner, r.till =
    struct.unpack(LAYOUT, bytes)
  r.facts = string.sub(bytes, LENGTH + 1)
  return r
end

local function pack_record(r)
  return struct.pack(LAYOUT, r.epoch, r.version, r.gen, r.pending, r.revision, r.period, r.count, r.balance,
    r.since, r.owner, r.till) .. r.facts
end
