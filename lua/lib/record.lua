-- A record as a table, for scripts that may take their time.
local function unpack_record(bytes)
  local epoch, version, gen, revision, period, count, balance, since, owner, till = struct.unpack(LAYOUT, bytes)
  return {
    epoch = epoch, version = version, gen = gen, revision = revision, period = period, count = count,
    balance = balance, since = since, owner = owner, till = till, facts = string.sub(bytes, LENGTH + 1),
  }
end

local function pack_record(r)
  return struct.pack(LAYOUT, r.epoch, r.version, r.gen, r.revision, r.period, r.count, r.balance, r.since, r.owner,
    r.till) .. r.facts
end

local function marks(id, bytes)
  return "p" .. id .. string.sub(bytes, GEN, GEN_END)
end
