-- Frees the place of the wait ARGV[1]; the next to ask for a place takes it over under an id
-- of its own, so freeing it a second time frees nothing. KEYS as in reserve.lua.
local place = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not place then return {0} end
redis.call('ZADD', KEYS[2], place, ARGV[1])
redis.call('PEXPIRE', KEYS[2], redis.call('PTTL', KEYS[1]))
return {1}
