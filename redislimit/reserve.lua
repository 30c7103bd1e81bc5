-- Reserves the next place that every limit allows and returns {1, wait}, or
-- {0, wait} with nothing reserved when the wait is longer than the patience.
-- All times are whole microseconds of Redis's clock: exact in a Lua number, and
-- printed with %.0f because tostring keeps 14 digits only.
--
-- KEYS[1]  places: id of a wait -> moment of its place. The member "since" holds, negated
--          so that it always ranks first, the moment from which the places are known.
-- KEYS[2]  free: the places of KEYS[1] that were given back, id -> moment
-- ARGV     id, patience (-1: any), hold (1 or 0), time to keep an idle key,
--          then for each limit: requests, window with margin
local places, free, id = KEYS[1], KEYS[2], ARGV[1]
local patience, hold, keep = tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function int(x) return string.format('%.0f', x) end

-- The moment of the nth newest place: below zero when there are fewer than n.
local function newest(n)
  return tonumber(redis.call('ZRANGE', places, '-' .. n, '-' .. n, 'WITHSCORES')[2]) or -1
end

-- A client that lost the reply asks again under the same id: it has its place already.
local mine = redis.call('ZSCORE', places, id)
if mine then return {1, math.max(0, mine - now)} end

local longest = 0
for i = 6, #ARGV, 2 do longest = math.max(longest, tonumber(ARGV[i])) end

local since = redis.call('ZSCORE', places, 'since')
if since then
  since = -since
else
  since = now
  redis.call('DEL', free)
  redis.call('ZADD', places, int(-now), 'since')
end

-- A place whose moment passed while it was free was used by nobody: it no longer counts.
for _, unused in ipairs(redis.call('ZRANGEBYSCORE', free, '-inf', '(' .. int(now))) do
  redis.call('ZREM', places, unused)
  redis.call('ZREM', free, unused)
end
redis.call('ZREMRANGEBYSCORE', places, '0', int(now - longest))

-- A free place comes first: it is the next in the queue, and the limits were kept when it was
-- made. A new one counts all places later than its window's beginning, those after it included.
local given = redis.call('ZRANGE', free, '0', '0', 'WITHSCORES')
local place = tonumber(given[2])
if not place then
  place = now
  if hold then place = math.max(place, since + longest) end
  for i = 5, #ARGV, 2 do
    place = math.max(place, newest(ARGV[i]) + tonumber(ARGV[i + 1]))
  end
end

local granted = patience < 0 or place - now <= patience
if granted then
  if given[1] then
    redis.call('ZREM', free, given[1])
    redis.call('ZREM', places, given[1])
  end
  redis.call('ZADD', places, int(place), id)
end

local idle = math.max(now, newest('1')) - now + longest + keep
redis.call('PEXPIRE', places, int(math.ceil(idle / 1000)))
return {granted and 1 or 0, place - now}
