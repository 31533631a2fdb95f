import { Lineage } from './lineage.js';
import type { Reader } from './readers.js';

// Who publishes and reads where any answer may fail to come, and who asks again.

export const JSON_TYPE = { 'content-type': 'application/json' };

/** Publishes a number by a POST to the stream; `seq` numbers what goes this way. False where nobody knows, or it was refused for now. */
export async function byPost(url: string, channel: string, number: number, seq: number): Promise<boolean> {
  const headers = { ...JSON_TYPE, 'producer-id': 'post', 'producer-epoch': '0', 'producer-seq': String(seq) };
  const body = `[${number}]`;
  const { status } = await fetch(`${url}/v1/stream/${channel}`, { method: 'POST', headers, body });
  return isStored(status, [200, 204]);
}

/** The same by a command over HTTP. */
export async function byCommand(url: string, channel: string, number: number, seq: number): Promise<boolean> {
  const producer = { id: 'command', epoch: 0, seq };
  const body = JSON.stringify([{ type: 'publish', id: 1, channel, data: number, producer }]);
  const response = await fetch(`${url}/v1/commands`, { method: 'POST', headers: JSON_TYPE, body });
  const text = await response.text();
  if (response.status === 200 && JSON.parse(text)[0].type !== 'published') throw new Error(text);
  return isStored(response.status, [200]);
}

function isStored(status: number, good: readonly number[]): boolean {
  if (!good.includes(status) && status < 502) throw new Error(`answered ${status}`);
  return good.includes(status);
}

export interface Follower {
  readonly port: number;
  readonly channel: string;
  readonly read: Reader;
  /** It comes back by itself after each message. */
  readonly restless: boolean;
  /** How many messages there are in all. */
  readonly total: () => number;
}

/** Reads from the beginning until it has everything, or something that it should not have. */
export async function follow({ port, channel, read, restless, total }: Follower): Promise<Lineage> {
  const positions = new Lineage();
  positions.begins(channel, true);
  let text: string | undefined;
  const isOver = () => positions.faults.length > 0 || positions.hasAllBefore(channel, total());
  while (!isOver()) {
    const [leave, before] = [new AbortController(), positions.messages];
    const cursor = {
      text,
      beginsByOffset: true,
      came(next: string) {
        cursor.text = next;
      },
    };
    const heard = () => {
      if (isOver() || (restless && positions.messages > before)) leave.abort();
    };
    const [channels, waitMs, byLastEventId] = [[channel], 25_000, true];
    await read({ port, channels, positions, cursor, leave: leave.signal, waitMs, byLastEventId, heard });
    text = cursor.text;
  }
  return positions;
}
