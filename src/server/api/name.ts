import { CHANNEL_RULE, isChannel } from '../../protocol/channel.js';
import { Refused } from '../../protocol/refused.js';

/** Throws `bad_channel`. */
export function checkName(channel: string): void {
  if (!isChannel(channel)) throw new Refused('bad_channel', CHANNEL_RULE);
}
