-- Adds a failure to a budget that servers share.
--
-- KEYS[1]   {prefix}:b:{name}  what is spent of a budget and when that was so, a string of two numbers
-- ARGV[1]   now       ms
-- ARGV[2]   capacity  failures that there may be; as many are made up for in a minute
--
-- Returns:
--   { "spent", n }  failures that are not made up for, this one among them, as text
assert(#KEYS == 1 and #ARGV == 2, "spend: 1 key, 2 arguments")

local now, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local spent, at = string.match(redis.call("GET", KEYS[1]) or "", "^(%S+) (%S+)$")
spent, at = tonumber(spent) or 0, tonumber(at) or now
-- Servers' clocks differ a little; time never goes back here.
now = math.max(now, at)
spent = math.max(spent - (now - at) / 60000 * capacity, 0) + 1
-- Failures that several servers let pass at once are made up for, but not for ever.
spent = math.min(spent, 2 * capacity)
redis.call("SET", KEYS[1], string.format("%.6f %.0f", spent, now), "PX", math.ceil(spent / capacity * 60000))
return { "spent", string.format("%.6f", spent) }
