import type { Encoding } from '../../core/carrier.js';
import { encodeMessage } from '../../protocol/encode.js';

/** An envelope as text, and where its channel stands after it. */
export interface EnvelopeText {
  readonly text: string;
  readonly channel?: string;
  readonly offset?: string;
}

/** The same envelopes that a WebSocket carries, each with the position that it leads to. */
export const envelopeTexts: Encoding<readonly EnvelopeText[]> = {
  messages: (channel, messages) =>
    messages.map((message) => ({ text: encodeMessage(channel, message), channel, offset: message.offset })),
  push(push) {
    const text = JSON.stringify(push);
    if (push.type === 'gap' || push.type === 'closed')
      return [{ text, channel: push.channel, offset: push.offset }];
    return [{ text }];
  },
  reply: (text) => [{ text }],
};
