import { USES_NOTED } from '../words/reply.js';
import { OWN_ARGUMENTS, PRELUDE } from './prelude.js';

/** '1' where a channel that doesn't exist is to be made; answers `absent` where it is to be, and is not. */
const MADE = `
onlyLooks = true
if log and log.gone then return refuse('gone') end
if not log then
  if ARGV[${OWN_ARGUMENTS}] ~= '1' then return answer('absent', number(latestAt)) end
  begin(nextEpoch(), 'application/json', 'application/json')
  onlyLooks = false
end
local function tailOf(...)
  return answer('tail', log.epoch, number(log.tail), log.closed and 1 or 0, ...)
end
`;

/** Somebody uses it: noted where it matters how long ago that was. */
const USED = `
local function use()
  if log.ttlSeconds or now - log.usedAt > IDENTITY_MS / ${USES_NOTED} then log.usedAt, isChanged = now, true end
end
`;

/**
 * Where a channel ends. ARGV of its own: '1' where one that doesn't exist is to be made, '1' where this is a use of it. Where it
 * isn't: `absent`, and when the latest life of
 * that name began, as far as is remembered.
 */
export const TAIL = `${PRELUDE}${MADE}${USED}
if ARGV[${OWN_ARGUMENTS + 1}] == '1' then use() end
return tailOf()
`;

/** The end of a log. ARGV of its own: as of TAIL. */
export const CLOSE = `${PRELUDE}${MADE}
if not log.closed then
  onlyLooks = false
  log.usedAt, log.closed, log.blank, isChanged = now, true, nil, true
  announceAll(0, 0, true)
end
return tailOf()
`;

/**
 * A page. ARGV of its own: as of TAIL; the epoch and seq to read after, `-1` or `now` in place of the epoch; how many
 * messages and bytes at most.
 */
export const READ = `${PRELUDE}${MADE}${USED}
local CHUNK = 64

-- of a position that may have been one: up to where what its reader has is still there
local function lostAfter(epoch, seq)
  if epoch == log.epoch then return nil end
  for _, stretch in ipairs(log.stretches or {}) do
    if stretch.epoch == epoch then return stretch.torn and seq > stretch.stop and stretch.stop or nil end
  end
  return 0
end

local function isPosition(epoch, seq)
  for _, stretch in ipairs(log.stretches or {}) do
    if stretch.epoch == epoch then return seq <= stretch.stop end
  end
  return epoch == log.epoch and seq <= log.tail
end

local function page(after, messages, bytes, lost)
  local found, taken, count = {}, 0, 0
  local at = after
  while at < log.tail and count < messages do
    local entries = redis.call('XRANGE', MESSAGES, idOf(at + 1), '+', 'COUNT', math.min(CHUNK, messages - count))
    if #entries == 0 then error('messages of ' .. STATE .. ' are missing') end
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      taken = taken + #fields[6] + #fields[8] + #(fields[10] or '')
      if taken > bytes and count > 0 then messages = count break end
      found[#found + 1] = { entry[1], fields[2], fields[6], fields[7], fields[8], fields[10] or '' }
      count, at = count + 1, at + 1
    end
  end
  return tailOf(number(after), lost, log.stretches and cjson.encode(log.stretches) or '', found)
end

trim()
use()
local epoch, seq = ARGV[${OWN_ARGUMENTS + 1}], tonumber(ARGV[${OWN_ARGUMENTS + 2}])
local messages, bytes = tonumber(ARGV[${OWN_ARGUMENTS + 3}]), tonumber(ARGV[${OWN_ARGUMENTS + 4}])
if epoch == 'now' then return page(log.tail, 0, 0, '') end
if epoch == '-1' then return page(log.start, messages, bytes, '') end
local lost = lostAfter(epoch, seq)
if lost then return page(math.max(log.start, lost), messages, bytes, 'reset') end
if not isPosition(epoch, seq) then return refuse('bad_offset') end
if seq < log.start then return page(log.start, messages, bytes, 'retention') end
return page(seq, messages, bytes, '')
`;

/** Whether somebody has made it or written to it. */
export const THERE = `${PRELUDE}
return answer('there', log and not log.blank and not log.gone and 1 or 0)
`;

/** The state as it is, or `absent`. */
export const STATE = `${PRELUDE}
onlyLooks = true
if not log then return answer('absent', number(latestAt)) end
trim()
return answer('state', cjson.encode(log), redis.call('HLEN', FORKS))
`;
