-- Takes and gives back places. All times are whole microseconds of Redis's clock:
-- exact in a Lua number, and printed with %.0f because tostring keeps 14 digits only.
--
-- KEYS[1]  places: id -> moment. A place counts from its moment for a window and the
--          margin. Facts stand beside the places, negated so that they rank first:
--            since    from when on the places are known
--            resume   nothing may start before: a 429 asked for it
--            longest  the longest window with margin that any process has
--            moved    how often places that somebody waits for may have been pushed back
-- KEYS[2]  free: the places of KEYS[1] that were given back before their moment
-- KEYS[3]  low: the places of KEYS[1] that calls of low priority hold
-- ARGV     'acquire', hold (1 or 0), time to keep an idle key, id, low (1 or 0),
--          patience (-1: any), then for each limit: requests, those of low
--          priority, window with margin
--       or 'release', hold, time to keep, resume (0: no pause), then for each place:
--          id, low, its new moment (0: nothing was sent)
local places, free, low = KEYS[1], KEYS[2], KEYS[3]
local hold, keep = ARGV[2] == '1', tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function int(x) return string.format('%.0f', x) end
local function moment(key, id) return tonumber(redis.call('ZSCORE', key, id)) end
local function fact(name) return -(moment(places, name) or 0) end
local function keepFact(name, value) redis.call('ZADD', places, int(-value), name) end

-- The moment of the nth newest place: below zero when there are fewer than n.
local function newest(key, n)
  return tonumber(redis.call('ZRANGE', key, '-' .. n, '-' .. n, 'WITHSCORES')[2]) or -1
end

local function drop(id)
  for _, key in ipairs(KEYS) do redis.call('ZREM', key, id) end
end

-- Makes those that wait for their place ask whether they still have it.
local function countMove()
  if redis.call('ZCOUNT', places, '(' .. int(now), '+inf') > 0 then keepFact('moved', fact('moved') + 1) end
end

local function expire()
  local idle = math.max(now, newest(places, '1'), fact('resume')) - now + fact('longest') + keep
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, int(math.ceil(idle / 1000))) end
end

-- A free place that nobody is behind fills no gap: a new one would not come later.
local function dropFreeTail()
  while true do
    local last = redis.call('ZRANGE', places, '-1', '-1')[1]
    if not last or not moment(free, last) then return end
    drop(last)
  end
end

if not moment(places, 'since') then
  redis.call('DEL', free, low)
  keepFact('since', now)
end

if ARGV[1] == 'release' then
  local resume = math.min(tonumber(ARGV[4]), now + 3600 * 1000000) -- an hour at most
  local moved = resume > math.max(now, fact('resume'))
  if moved then keepFact('resume', resume) end
  for i = 5, #ARGV, 3 do
    local id, to = ARGV[i], tonumber(ARGV[i + 2])
    local at = moment(places, id)
    if to > 0 then
      if to > (at or 0) then
        redis.call('ZADD', places, int(to), id)
        if ARGV[i + 1] == '1' then redis.call('ZADD', low, int(to), id) end
        moved = true
      end
    elseif at and at > now then
      redis.call('ZADD', free, int(at), id) -- its moment is still to come: the next to ask takes it over
    elseif at then
      drop(id)
    end
  end
  dropFreeTail()
  if moved then countMove() end
  expire()
  return {1}
end

local id, isLow, patience = ARGV[4], ARGV[5] == '1', tonumber(ARGV[6])
local first, longest = 7, fact('longest')
for i = first + 2, #ARGV, 3 do longest = math.max(longest, tonumber(ARGV[i])) end
if longest > fact('longest') then keepFact('longest', longest) end

-- A place whose moment passed while it was free was used by nobody: it no longer counts.
for _, unused in ipairs(redis.call('ZRANGEBYSCORE', free, '-inf', '(' .. int(now))) do drop(unused) end
for _, key in ipairs({places, low}) do redis.call('ZREMRANGEBYSCORE', key, '0', int(now - longest)) end

-- Nothing starts before.
local start = math.max(now, fact('resume'))
if hold then start = math.max(start, fact('since') + longest) end

-- The soonest moment that the limits and a pause allow the place, after the places before it.
local function soonest(member)
  local rank, at = redis.call('ZRANK', places, member), start
  for i = first, #ARGV, 3 do
    local before = rank - ARGV[i]
    if before >= 0 then
      before = int(before)
      at = math.max(at, redis.call('ZRANGE', places, before, before, 'WITHSCORES')[2] + ARGV[i + 2])
    end
  end
  return at
end

local function answer(granted, place) return {granted, place, now, fact('moved')} end

-- A client that lost the reply, or has waited for long, asks again under the same id: it has
-- its place already. A pause, or an attempt that outlasted its margin, pushes the place back.
local mine = moment(places, id)
if mine then
  local at, sooner = mine, soonest(id)
  while sooner > math.max(at, now) do
    at = sooner
    redis.call('ZADD', places, int(at), id)
    sooner = soonest(id) -- after those that it is behind now
  end
  if at > mine then countMove() end
  local wait = at - now
  if isLow and wait > 0 or patience >= 0 and wait > patience then
    drop(id)
    return answer(0, at)
  end
  expire()
  return answer(1, at)
end

-- A new place counts all places later than its window's beginning, those after it included.
local place = start
for i = first, #ARGV, 3 do
  place = math.max(place, newest(places, ARGV[i]) + ARGV[i + 2])
  if isLow then place = math.max(place, newest(low, ARGV[i + 1]) + ARGV[i + 2]) end
end

-- A free place is taken over where it is the sooner one: the limits were kept when it was made.
local given = {}
if not isLow then
  given = redis.call('ZRANGEBYSCORE', free, int(start), int(place), 'WITHSCORES', 'LIMIT', '0', '1')
  if given[1] and soonest(given[1]) <= tonumber(given[2]) then place = tonumber(given[2]) else given = {} end
end

local wait = place - now
local granted = isLow and wait == 0 or not isLow and (patience < 0 or wait <= patience)
if granted then
  if given[1] then drop(given[1]) end
  redis.call('ZADD', places, int(place), id)
  if isLow then redis.call('ZADD', low, int(place), id) end
end
expire()
return answer(granted and 1 or 0, place)
