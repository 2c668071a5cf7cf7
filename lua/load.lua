-- Puts all vouchers of a code into Redis as Postgres has them. A copy that is newer stays, unless it is
-- forced out, and a lock that is in force outlives the copy that it was given in. What was read before the
-- code was evicted is out of date.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   epoch   that the copies are of
-- ARGV[2]   now     ms
-- ARGV[3]   keep    seconds after which an unused code is forgotten
-- ARGV[4]   force   1: replaces whatever is there, with what it has reserved
-- ARGV[5]   evictions  as they were before Postgres was read
-- then for each voucher:
--           id      16 bytes
--           record  as it is to be
--
-- Returns the first that holds, copies being what is there now, in the order given:
--   { "outdated" }            the code was evicted since: read Postgres again
--   { "replaced", record … }  a copy of a later revision was forced out: read Postgres again
--   { "loaded", record … }    none was
assert(#KEYS == 1 and #ARGV >= 5 and #ARGV % 2 == 1, "load: 1 key, 5 arguments and pairs")

local key, epoch, now, force = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[4] == "1"
if (redis.call("HGET", key, EVICTIONS) or "0") ~= ARGV[5] then return { "outdated" } end

local reply, wanted = { "loaded" }, { [EVICTIONS] = true }
for i = 6, #ARGV, 2 do
  local id, bytes = ARGV[i], ARGV[i + 1]
  wanted[id] = true
  local there = redis.call("HGET", key, id)
  local keep_it = false
  if there then
    local old, new = unpack_record(there), unpack_record(bytes)
    local is_later = old.epoch >= epoch and old.revision > new.revision
    keep_it = not force
      and (is_later or (old.epoch >= epoch and old.revision == new.revision and old.version == new.version))
    if is_later and not keep_it then reply[1] = "replaced" end
    if not keep_it and old.till > now and new.till <= now then
      new.owner, new.till = old.owner, old.till
      bytes = pack_record(new)
    end
  end
  if keep_it then
    bytes = there
    wanted[marks(id, there)] = true
  else
    redis.call("HSET", key, id, bytes)
  end
  reply[#reply + 1] = bytes
end
for _, field in ipairs(redis.call("HKEYS", key)) do
  if not wanted[field] then redis.call("HDEL", key, field) end
end
redis.call("EXPIRE", key, tonumber(ARGV[3]))
return reply
