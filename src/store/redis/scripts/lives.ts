import { OWN_ARGUMENTS, PRELUDE } from './prelude.js';

/**
 * Makes a channel. ARGV of its own: its type and media type; ttlSeconds and expiresAt, or nothing; '1' where it is closed, and
 * where it is kept whole; what it is a fork of (JSON, with the state that it begins with), or nothing; of how many messages nobody is
 * told, how many there are, and those. KEYS[5]: where the messages of a fork were put.
 *
 * Answers `made`, or `standing` with the state of what is there.
 */
export const CREATE = `${PRELUDE}
local A = ${OWN_ARGUMENTS}
if log and not log.blank then return answer('standing', cjson.encode(log), redis.call('HLEN', FORKS)) end
local fork = ARGV[A + 6] ~= '' and cjson.decode(ARGV[A + 6])
local before = log and log.epoch
if fork then latestAt = math.max(latestAt, fork.at) end -- later than what it takes over
begin(not fork and before or nextEpoch(), ARGV[A], ARGV[A + 1])
log.ttlSeconds, log.expiresAt = tonumber(ARGV[A + 2]), tonumber(ARGV[A + 3])
log.whole = ARGV[A + 5] == '1' or nil
save()
redis.call('DEL', MESSAGES, PRODUCERS)
if fork then
  for name, value in pairs(fork) do log[name] = value end
  if redis.call('EXISTS', KEYS[5]) == 1 then
    redis.call('RENAME', KEYS[5], MESSAGES)
    redis.call('PERSIST', MESSAGES)
  end
  if before then -- its offsets are others
    announce({ epoch = before, deleted = true })
    ended = before
  end
end
local untold, count = tonumber(ARGV[A + 7]), tonumber(ARGV[A + 8])
pushAll(A + 9, count)
log.blank, log.stays = nil, true
log.closed = ARGV[A + 4] == '1' or nil
trim()
if count > untold or log.closed then announceAll(A + 9 + 4 * untold, count - untold, log.closed) end
isChanged = true
return answer('made', cjson.encode(log), 0)
`;

/** It stays until it is deleted, since somebody has asked to make what is there. */
export const STAY = `${PRELUDE}
if log and not log.gone and not log.stays then log.stays, isChanged = true, true end
return answer('done')
`;

/** Deletes a channel. Answers whether there was one that somebody had made or written to. */
export const DELETE = `${PRELUDE}
if log and log.gone then return refuse('gone') end
if not log then return answer('deleted', 0) end
local existed = log.blank and 0 or 1
remove()
return answer('deleted', existed)
`;

/** Upkeep: what is no longer kept goes, or the identity of an empty channel that nobody uses. Answers whether it is there. */
export const SWEEP = `${PRELUDE}
if not log then return answer('swept', 0) end
if log.gone then return answer('gone', redis.call('HGETALL', FORKS)) end
trim()
local isHeld = log.stays or log.closed or hasForks() or isWatched()
if log.start == log.tail and not isHeld and now - log.usedAt > IDENTITY_MS then forget() end
return answer('swept', log and 1 or 0)
`;

/** Forgets a channel that nobody has written to or looks at, to make room. Answers whether it is there. */
export const YIELD = `${PRELUDE}
if log and log.blank and not isWatched() then forget() end
return answer('swept', log and (log.blank and 1 or 2) or 0)
`;

/** It was used until then. ARGV of its own: the time in ms, or nothing for now. */
export const TOUCH = `${PRELUDE}
if log and not log.gone then
  log.usedAt, isChanged = math.max(log.usedAt, tonumber(ARGV[${OWN_ARGUMENTS}]) or now), true
end
return answer('done')
`;
