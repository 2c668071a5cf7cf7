-- Takes away the marks of reservations that Postgres has confirmed.
--
-- KEYS[1]   {prefix}:v:{code}  the vouchers of a code, a hash
-- ARGV[1]   id        of the voucher, 16 bytes
-- ARGV[2]   gen       of the copy that they were made in
-- ARGV[3]   count     how many
-- ARGV[4]   revision  of the row that confirms them
-- ARGV[5]   now       ms
--
-- Returns:
--   { "gone" }             that copy was replaced in the meantime, perhaps by one of before the commit
--   { "settled", record }  done; the copy as it became
assert(#KEYS == 1 and #ARGV == 5, "settle: 1 key, 5 arguments")

local bytes = redis.call("HGET", KEYS[1], ARGV[1])
if not bytes then return { "gone" } end
local r = unpack_record(bytes)
if r.gen ~= tonumber(ARGV[2]) then return { "gone" } end

r.pending = math.max(0, r.pending - tonumber(ARGV[3]))
r.revision = math.max(r.revision, tonumber(ARGV[4]))
r.since = tonumber(ARGV[5])
bytes = pack_record(r)
redis.call("HSET", KEYS[1], ARGV[1], bytes)
return { "settled", bytes }
