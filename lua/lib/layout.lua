-- A voucher in Redis: a field of the hash of its code, named by its id (16 bytes); 68 bytes that
-- change with every vend, then its facts, which only Rust reads.
--
--   epoch     copies of an older epoch are worthless, whatever they say; so are those of epoch 0
--   version   of the facts that follow
--   gen       of this copy, at random: a reservation is settled only in the copy that it was made in
--   revision  of the row in Postgres that this copy was made from
--   period    when the period began that the counters are about, ms
--   count     redemptions in it, reservations included
--   balance   cents left, reservations taken off; 0 for a discount
--   since     when the last reservation was made, ms
--   owner     the machine that holds the lock; 0: nobody
--   till      when the lock is over, ms
--
-- Beside it, once something was reserved, a field named "p", id and gen: how many reservations Postgres
-- has not confirmed yet. It is a field of its own so that HINCRBY can settle them.
-- Once the code was evicted, there is a field "evictions": how often it was.
local EVICTIONS = "evictions"
local LAYOUT, LENGTH, ID, GEN, GEN_END = "<I4I4I4i8i8i8i8i8i8i8", 68, 16, 9, 12
