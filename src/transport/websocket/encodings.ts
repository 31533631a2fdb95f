import type { Encoding } from '../../core/carrier.js';
import { encodeMessage, toBase64 } from '../../protocol/encode.js';
import { deflatedFrame, textFrames } from './frame.js';

/** Envelopes of the subprotocol, one a text frame. */
export const jsonEncoding: Encoding<Uint8Array> = {
  messages: (channel, messages) => textFrames(messages.map((message) => encodeMessage(channel, message))),
  push: (push) => textFrames([JSON.stringify(push)]),
  reply: (text) => textFrames([text]),
};

/** What is compressed, for connections that agreed on permessage-deflate. */
export interface Compression {
  /** Smaller frames are left as they are, in bytes. */
  readonly threshold: number;
  /** zlib's, 1 to 9. */
  readonly level: number;
  /** Whether the messages of a channel are compressed at all. */
  readonly appliesTo: (channel: string) => boolean;
}

/** The same envelopes; those of messages compressed, once for all readers. */
export function compressedEncoding({ threshold, level, appliesTo }: Compression): Encoding<Uint8Array> {
  const frame = (text: string) => (text.length < threshold ? textFrames([text]) : deflatedFrame(text, level));
  return {
    messages(channel, messages) {
      if (!appliesTo(channel)) return jsonEncoding.messages(channel, messages, true);
      return Buffer.concat(messages.map((message) => frame(encodeMessage(channel, message))));
    },
    push: jsonEncoding.push,
    reply: jsonEncoding.reply,
  };
}

/** Lines for clients that know no envelopes (docs/protocol.md, "Plain clients"). */
export const plainEncoding: Encoding<Uint8Array> = {
  messages: (_channel, messages) =>
    textFrames(messages.map(({ from, data }) => `${from} -> ${plainText(data)}`)),
  push(push) {
    if (push.type === 'welcome') return textFrames([`Welcome ${push.name}`]);
    if (push.type === 'direct')
      return textFrames([`${push.from} -> ${plainText(JSON.stringify(push.data))}`]);
    if (push.type === 'error') return textFrames([`Error ${push.code}: ${push.message}`]);
    if (push.type === 'gap') return textFrames(['Error gap: some of what was said is no longer kept']);
    if (push.type === 'closed') return textFrames(['Error closed: nothing will ever follow']);
    if (push.type === 'unsubscribed') return textFrames([`Error ${push.code}: nothing more will come`]);
    return undefined;
  },
  reply: () => undefined,
};

/** A string as its text, bytes as base64, anything else as its JSON. */
function plainText(data: string | Uint8Array): string {
  if (typeof data !== 'string') return toBase64(data);
  return data.startsWith('"') ? String(JSON.parse(data)) : data;
}
