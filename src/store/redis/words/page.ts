import { formatOffset } from '../../../protocol/offset.js';
import type { NewMessage, StoredMessage } from '../../message.js';
import type { Page } from '../../store.js';
import type { Argument } from '../link/connection.js';
import type { Reply } from './reply.js';
import { BadReply, epochsOf, messageFrom, stretchesFrom, tailFrom } from './reply.js';

/** The rest of the answer to READ. */
export function pageFrom(reply: Reply): Page {
  const { epoch, seq: last, closed } = tailFrom(reply);
  const after = reply.number();
  const lost = lostFrom(reply.text());
  const epochs = epochsOf({ epoch, stretches: stretchesFrom(reply.text()) });
  const messages = [...reply.list().lists()].map((entry) => messageFrom(entry, epochs));
  if (messages.some(({ seq }, at) => seq !== after + at + 1)) throw new BadReply('a log with a hole');
  const seq = after + messages.length;
  return {
    messages,
    startOffset: formatOffset(epochs.at(after), after),
    epoch,
    seq,
    offset: formatOffset(epochs.at(seq), seq),
    lost,
    upToDate: seq === last,
    closed,
  };
}

function lostFrom(text: string): Page['lost'] {
  if (text === '') return undefined;
  if (text !== 'retention' && text !== 'reset') throw new BadReply('no reason of a loss');
  return text;
}

/** Messages as arguments of a script. */
export function argumentsOf(messages: readonly NewMessage[]): Argument[] {
  return messages.flatMap(({ from, data, meta = '' }) => [
    from,
    ...(typeof data === 'string' ? ['text', data] : ['bytes', Buffer.from(data)]),
    meta,
  ]);
}

export function bytesOf(messages: readonly NewMessage[]): number {
  return messages.reduce(
    (sum, { data, from, meta }) => sum + data.length + from.length + (meta?.length ?? 0),
    0,
  );
}

/** New messages as they are once they are stored, the last of them at this place. */
export function storedAs(
  messages: readonly NewMessage[],
  { epoch, seq, at }: { readonly epoch: string; readonly seq: number; readonly at: number },
): StoredMessage[] {
  const first = seq - messages.length + 1;
  return messages.map(({ from, data, meta }, index) => ({
    seq: first + index,
    offset: formatOffset(epoch, first + index),
    from,
    at,
    data,
    ...(meta !== undefined && { meta }),
  }));
}
