import { OWN_ARGUMENTS, PRELUDE } from './prelude.js';

/**
 * Notes that a channel begins with what this one has. ARGV of its own: the token and name of the fork; the epoch and seq from which on
 * it is told, `-1` or `now` in place of the epoch; how much of what follows it has too.
 *
 * Answers with what the fork takes over: the state of the source, the place that was meant, up to where it takes messages, and
 * of the next one so many bytes.
 */
export const LEND = `${PRELUDE}
local A = ${OWN_ARGUMENTS}
if log and log.gone then return refuse('conflict') end
if not log or log.blank then return refuse('not_found') end
trim()
local token, name, epoch, seq, skip = ARGV[A], ARGV[A + 1], ARGV[A + 2], tonumber(ARGV[A + 3]), tonumber(ARGV[A + 4])

local function isPosition()
  for _, stretch in ipairs(log.stretches or {}) do
    if stretch.epoch == epoch then return seq <= stretch.stop end
  end
  return epoch == log.epoch and seq <= log.tail
end

local anchor
if epoch == '-1' then anchor = log.start
elseif epoch == 'now' then anchor = log.tail
elseif isPosition() then anchor = seq
else return refuse('bad_offset', 'that offset is none of the source') end
if anchor < log.start then return refuse('gone', 'what stood at that offset is no longer kept') end

local BEYOND = 'the sub-offset lies beyond the end of the source'
local stop, part = anchor, 0
if log.mediaType == 'application/json' then
  stop = anchor + skip
  if stop > log.tail then return refuse('bad_offset', BEYOND) end
else
  local left = skip
  while left > 0 do
    if stop == log.tail then return refuse('bad_offset', BEYOND) end
    local size = #redis.call('XRANGE', MESSAGES, idOf(stop + 1), idOf(stop + 1))[1][2][8]
    if left < size then part, left = left, 0 else stop, left = stop + 1, left - size end
  end
end

local lastAt = 0
if stop > log.start then lastAt = mark(stop) end
redis.call('HSET', FORKS, token, name)
return answer('lent', cjson.encode(log), offsetAt(anchor), number(stop), number(bytesAt(stop)),
  number(lastAt), part)
`;

/** A fork is no more. ARGV of its own: its token. */
export const GIVE_BACK = `${PRELUDE}
redis.call('HDEL', FORKS, ARGV[${OWN_ARGUMENTS}])
if log and log.gone and not hasForks() then release() end
return answer('done')
`;
