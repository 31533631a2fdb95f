/**
 * The names of channels, sorted, and of those that may have nothing in them. A channel is entered before it is made and
 * after, so that whatever somebody else does meanwhile, one that exists is in it.
 */

/** KEYS: names, blank ones. ARGV: the name, how many there may be. Answers 1, or 0 where there is no room. */
export const ENTER = `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
  redis.call('ZADD', KEYS[1], 0, ARGV[1])
end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1
`;
