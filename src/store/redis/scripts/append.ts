import { OWN_ARGUMENTS, PRELUDE } from './prelude.js';

/**
 * Appends, several in one step, each for itself: what one is refused does not touch the others.
 *
 * ARGV of its own: '1' where a channel that doesn't exist is to be made, and for each append: '1' where it creates, its
 * media type, '1' where it closes, the writers' own sequence behind a '=', or nothing, the producer's id behind a '=', or nothing, its
 * epoch and seq, how many messages, and those.
 *
 * Answers `absent` where a channel is to be made, and is to be entered in the directory first; else the answer to each append.
 */
export const APPEND = `${PRELUDE}
local MAX_PRODUCERS = 10000
local FORGETTABLE_AFTER_MS = 600000
local FORGOTTEN_AT_ONCE = 100
local REMEMBERED_PLACES = 64
-- what may be over retention until somebody looks, so that not every append has to cut
local SLACK = 100

local function producerOf(id)
  local text = redis.call('HGET', PRODUCERS, id)
  return text and cmsgpack.unpack(text)
end

local function forgetProducers(usedBy)
  local flat, all = redis.call('HGETALL', PRODUCERS), {}
  for at = 1, #flat, 2 do all[#all + 1] = { id = flat[at], usedAt = cmsgpack.unpack(flat[at + 1]).usedAt } end
  table.sort(all, function(left, right) return left.usedAt < right.usedAt end)
  local forgotten = 0
  while forgotten < FORGOTTEN_AT_ONCE and all[forgotten + 1] and all[forgotten + 1].usedAt <= usedBy do
    forgotten = forgotten + 1
    redis.call('HDEL', PRODUCERS, all[forgotten].id)
  end
  log.producers = log.producers - forgotten
  local oldest = all[forgotten + 1]
  if oldest then log.fullUntil = oldest.usedAt + FORGETTABLE_AFTER_MS end
  isChanged = true
end

local function isFullOfProducers()
  if log.producers < MAX_PRODUCERS then return false end
  if now >= log.fullUntil then forgetProducers(now - FORGETTABLE_AFTER_MS) end
  return log.producers >= MAX_PRODUCERS
end

local function stored(seq, isDuplicate, producer)
  return {
    'stored', epochOf(seq), number(seq), isDuplicate and 1 or 0, log.closed and 1 or 0,
    producer and number(producer.seq) or '', number(log.lastAt),
  }
end

-- an older repeat than the remembered ones is answered with the oldest of those
local function placeOf(known, seq)
  return known.places[#known.places - (known.seq - seq)] or known.places[1]
end

local function accept(id, known, epoch, seq)
  local places = {}
  if not known then log.producers = log.producers + 1 end
  if known and known.epoch == epoch then
    places = known.places
    if #places >= REMEMBERED_PLACES then table.remove(places, 1) end
  end
  places[#places + 1] = log.tail
  local producer = { epoch = epoch, seq = seq, places = places, usedAt = now }
  redis.call('HSET', PRODUCERS, id, cmsgpack.pack(producer))
  return producer
end

-- by bytes: the language's own comparison goes by the locale of the server
local function isAfter(text, other)
  for at = 1, #text do
    local own, others = string.byte(text, at), string.byte(other, at)
    if own ~= others then return others == nil or own > others end
  end
  return false
end

-- the messages begin at this place
local function append(creates, mediaType, closes, order, id, epoch, seq, count, place)
  if log.gone then return { 'refused', 'gone' } end
  if log.blank and not creates then return { 'refused', 'not_found' } end
  local known = id and producerOf(id)
  if known and epoch < known.epoch then return { 'refused', 'fenced', number(known.epoch) } end
  if known and epoch == known.epoch and seq <= known.seq then return stored(placeOf(known, seq), true, known) end
  if log.closed and closes and count == 0 and not id then return stored(log.tail, false) end
  if log.closed then return { 'refused', 'closed', offsetAt(log.tail) } end
  if count > 0 and mediaType ~= log.mediaType then
    return { 'refused', 'type', log.contentType }
  end
  if id then
    local isNewEpoch = known and epoch > known.epoch
    local expected = known and not isNewEpoch and known.seq + 1 or 0
    if seq ~= expected then
      return { 'refused', 'out_of_sequence', number(expected), isNewEpoch and 1 or 0 }
    end
    if not known and isFullOfProducers() then return { 'refused', 'producers' } end
  end
  if order and log.order and not isAfter(order, log.order) then return { 'refused', 'order', log.order } end
  pushAll(place, count)
  log.usedAt = now
  log.order = order or log.order
  local producer = id and accept(id, known, epoch, seq)
  if closes then log.closed = true end
  if closes or count > 0 then
    log.blank = nil
    announceAll(place, count, closes)
  end
  isChanged = true
  return stored(log.tail, false, producer)
end

local function optional(text)
  if text ~= '' then return string.sub(text, 2) end
end

local place = ${OWN_ARGUMENTS} + 1
if not log then
  local creates = false
  local each = place
  while each <= #ARGV do
    creates = creates or ARGV[each] == '1'
    each = each + 8 + 4 * tonumber(ARGV[each + 7])
  end
  if creates and ARGV[${OWN_ARGUMENTS}] ~= '1' then return answer('absent') end
  if not creates then return refuse('not_found') end
  begin(nextEpoch(), 'application/json', 'application/json')
end

local answers = {}
while place <= #ARGV do
  local creates, mediaType, closes = ARGV[place] == '1', ARGV[place + 1], ARGV[place + 2] == '1'
  local order, id = optional(ARGV[place + 3]), optional(ARGV[place + 4])
  local epoch, seq, count = tonumber(ARGV[place + 5]), tonumber(ARGV[place + 6]), tonumber(ARGV[place + 7])
  answers[#answers + 1] = append(creates, mediaType, closes, order, id, epoch, seq, count, place + 8)
  place = place + 8 + 4 * count
end

local messages, _, bytes = retention()
if log.tail - log.start > messages + math.min(messages, SLACK) or log.tailBytes - log.startBytes > bytes * 1.25 then trim() end
return answer('answers', answers)
`;
