/**
 * What all scripts begin with: the keys of one channel, its state as it is at this moment, and how it is told of.
 *
 * KEYS: the state (JSON), the messages (a stream; `<seq>-0` is the id of the `seq`-th), the producers (a hash), the forks
 * (a hash: token → channel). ARGV: the time in ms or nothing for that of the server, the topic of announcements,
 * the salt of epochs, `identityMs`, and the retention by name and that of a channel that is kept whole, three numbers each.
 *
 * The rules are those of `src/store/log/`; the contract of stores holds both to the same text. Every script answers
 * with the life that ended on the way and what that was a fork of, since that is on another slot, and then with its own.
 */
export const PRELUDE = `
local STATE, MESSAGES, PRODUCERS, FORKS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local TOPIC, SALT, IDENTITY_MS = ARGV[2], ARGV[3], tonumber(ARGV[4])
local now = tonumber(ARGV[1])
if now == nil then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'
local TOMBSTONE_MS = 7 * 24 * 3600000
local MAX_STRETCHES = 20
local MAX_ANNOUNCED_BYTES = 65536

-- the state; nil where there is no channel
local log
-- when the latest life began that is known of, as epochs have it
local latestAt = 0
-- for the answer: the life that ended here, and what it was a fork of
local ended, releasedFrom, releasedToken = '', '', ''
local isChanged = false
-- from where on messages are kept, once the state says so
local trimmedFrom
-- whoever only looks gets what there is, also while Redis takes nothing
local onlyLooks = false

-- the data of a master goes on as it was for as long as this does not change
local function lineage()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

local function epochAt(at)
  local text = ''
  for _ = 1, 9 do
    local digit = at % 36
    text = string.sub(DIGITS, digit + 1, digit + 1) .. text
    at = (at - digit) / 36
  end
  return text .. SALT
end

local function nextEpoch()
  latestAt = math.max(now, latestAt + 1)
  return epochAt(latestAt)
end

-- first the state, then what follows from it: where Redis has no room for it, nothing is done
local function save()
  log.at = latestAt
  local done = (onlyLooks and redis.pcall or redis.call)('SET', STATE, cjson.encode(log))
  isChanged = false
  if done.err then return end
  if trimmedFrom == log.tail then
    redis.call('DEL', MESSAGES)
  elseif trimmedFrom then
    redis.call('XTRIM', MESSAGES, 'MINID', '~', string.format('%.0f-0', trimmedFrom + 1))
  end
  trimmedFrom = nil
end

local function announce(header, body)
  redis.call('SPUBLISH', TOPIC, cjson.encode(header) .. '\\n' .. (body or ''))
end

local function isWatched()
  return redis.call('PUBSUB', 'SHARDNUMSUB', TOPIC)[2] > 0
end

local function hasForks()
  return redis.call('EXISTS', FORKS) == 1
end

-- nothing of it is left but the time of its life, so that a later one has later offsets
local function forget()
  redis.call('SET', STATE, cjson.encode({ dead = true, at = latestAt }), 'PX', TOMBSTONE_MS)
  redis.call('DEL', MESSAGES, PRODUCERS, FORKS)
  log = nil
  isChanged = false
end

local function release()
  releasedFrom, releasedToken = log.source or '', log.token or ''
  forget()
end

-- deletes it; its name stays taken for as long as it has forks
local function remove()
  local epoch = log.epoch
  if hasForks() then
    log.start, log.startBytes, log.gone, trimmedFrom = log.tail, log.tailBytes, true, log.tail
    save()
    redis.call('DEL', PRODUCERS)
  else
    release()
  end
  announce({ epoch = epoch, deleted = true })
  ended = epoch
end

local function isOver()
  if log.gone then return false end
  if log.expiresAt and now >= log.expiresAt then return true end
  return log.ttlSeconds and now - log.usedAt >= log.ttlSeconds * 1000 and not isWatched()
end

-- the end of it may have been lost: what follows has positions of an epoch of its own
local function tear(origin)
  local kept = {}
  for _, stretch in ipairs(log.stretches or {}) do
    if stretch.stop >= log.start then kept[#kept + 1] = stretch end
  end
  while #kept >= MAX_STRETCHES do table.remove(kept, 1) end
  kept[#kept + 1] = { epoch = log.epoch, stop = log.tail, torn = true }
  log.stretches, log.epoch, log.origin = kept, nextEpoch(), origin
  log.usedAt = now -- whoever watched it has to come back first
  save()
end

local function load()
  local text = redis.call('GET', STATE)
  if not text then return end
  local found = cjson.decode(text)
  latestAt = found.at
  if found.dead then return end
  log = found
  local origin = lineage()
  if log.origin ~= origin then tear(origin) end
  if isOver() then remove() end
end

local function begin(epoch, contentType, mediaType)
  log = {
    epoch = epoch, origin = lineage(), contentType = contentType, mediaType = mediaType, blank = true, usedAt = now, lastAt = 0,
    start = 0, startBytes = 0, tail = 0, tailBytes = 0, producers = 0, fullUntil = 0,
  }
  isChanged = true
end

-- of the position after the message: that of the log in which it was appended
local function epochOf(seq)
  for _, stretch in ipairs(log.stretches or {}) do
    if seq <= stretch.stop then return stretch.epoch end
  end
  return log.epoch
end

local function offsetAt(seq)
  return string.format('%s_%016.0f', epochOf(seq), seq)
end

local function number(value)
  return string.format('%.0f', value)
end

local function idOf(seq)
  return number(seq) .. '-0'
end

-- when it came, and how many bytes came before it
local function mark(seq)
  local fields = redis.call('XRANGE', MESSAGES, idOf(seq), idOf(seq))[1][2]
  return tonumber(fields[2]), tonumber(fields[4])
end

local function bytesAt(seq)
  if seq == log.start then return log.startBytes end
  if seq == log.tail then return log.tailBytes end
  local _, before = mark(seq + 1)
  return before
end

local function retention()
  local first = log.whole and 8 or 5
  return tonumber(ARGV[first]), tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
end

local function keptFrom()
  local messages, ageMs, bytes = retention()
  local function isKept(seq)
    if seq == log.tail then return true end
    local at, before = mark(seq + 1)
    return log.tailBytes - before <= bytes and at >= now - ageMs
  end
  local low, high = math.max(log.start, log.tail - messages), log.tail
  if isKept(low) then return low end
  low = low + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if isKept(middle) then high = middle else low = middle + 1 end
  end
  return high
end

local function cut(from)
  log.startBytes = bytesAt(from)
  log.start, trimmedFrom, isChanged = from, from, true
end

-- lets go of what is no longer kept
local function trim()
  if log.start == log.tail then return end
  local from = keptFrom()
  if from > log.start then cut(from) end
end

local function push(from, kind, data, meta)
  log.tail = log.tail + 1
  log.lastAt = math.max(now, log.lastAt)
  local before, at = number(log.tailBytes), number(log.lastAt)
  if meta == '' then
    redis.call('XADD', MESSAGES, idOf(log.tail), 'at', at, 'before', before, 'from', from, kind, data)
  else
    redis.call('XADD', MESSAGES, idOf(log.tail), 'at', at, 'before', before, 'from', from, kind, data, 'meta', meta)
  end
  log.tailBytes = log.tailBytes + #data + #from + #meta
end

-- messages from this place of ARGV on: from, kind, data and meta each
local function pushAll(place, count)
  for _ = 1, count do
    push(ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3])
    place = place + 4
  end
end

-- tells of the last messages, which begin at this place of ARGV, and of the end
local function announceAll(place, count, closes)
  local header = { epoch = log.epoch, tail = log.tail, at = log.lastAt, closed = closes or nil }
  local parts, sizes, bytes = {}, {}, 0
  for _ = 1, count do
    local from, kind, data, meta = ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]
    sizes[#sizes + 1] = { #from, kind, #data, #meta }
    parts[#parts + 1] = from
    parts[#parts + 1] = data
    parts[#parts + 1] = meta
    bytes = bytes + #from + #data + #meta
    place = place + 4
  end
  if bytes > MAX_ANNOUNCED_BYTES then header.large, parts = true, {} elseif count > 0 then header.sizes = sizes end
  announce(header, table.concat(parts))
end

local function answer(...)
  if isChanged then save() end
  return { ended, releasedFrom, releasedToken, ... }
end

local function refuse(code, ...)
  return answer('refused', code, ...)
end

load()
`;

/** Where in ARGV the arguments of a script of its own begin. */
export const OWN_ARGUMENTS = 11;
