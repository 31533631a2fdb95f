import type { Carrier, Encoding } from '../../src/core/carrier.js';
import type { Envelope } from '../../src/protocol/pushes.js';
import { envelope } from '../../src/protocol/pushes.js';

/** A connection whose peer reads or doesn't, as it is told. */
export class FakeCarrier implements Carrier<Uint8Array> {
  readonly transport = 'websocket';
  readonly encoding: Encoding<Uint8Array>;
  answersPings = true;
  endsWithSubscriptions = false;
  /** How often it was told that all there is was handed over. */
  settledTimes = 0;
  timesUp = 0;
  receivedBytes = 0;
  sentBytes = 0;
  /** How many writes there were. */
  writes = 0;
  pings = 0;
  paused = false;
  /** Every change of it: true for a pause. */
  readonly pauses: boolean[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  terminated = false;
  /** The most that was ever queued. */
  mostQueuedBytes = 0;
  onDrain: () => void = () => {};
  readonly #read: string[] = [];
  #parsed: Envelope[] = [];
  #queue: Uint8Array[] = [];
  #stalled = false;
  #fill = 0;

  constructor(encoding: Encoding<Uint8Array>) {
    this.encoding = encoding;
  }

  get queuedBytes(): number {
    return this.#queue.reduce((sum, bytes) => sum + bytes.length, this.#fill);
  }

  /** The texts that have reached the peer. */
  get texts(): readonly string[] {
    return this.#read;
  }

  /** The envelopes that have reached the peer, each of which the schemas of the wire take. */
  get envelopes(): readonly Envelope[] {
    for (const text of this.#read.slice(this.#parsed.length)) {
      this.#parsed.push(envelope.parse(JSON.parse(text)));
    }
    return this.#parsed;
  }

  write(bytes: Uint8Array): void {
    if (this.closedWith !== undefined || this.terminated) return;
    this.writes++;
    this.#queue.push(bytes);
    this.mostQueuedBytes = Math.max(this.mostQueuedBytes, this.queuedBytes);
    if (!this.#stalled) this.#flush();
  }

  /** The peer stops reading: what is written is queued. */
  stall(): void {
    this.#stalled = true;
  }

  /** The peer stops reading, and so much is queued that there is no room for more. */
  fill(): void {
    this.stall();
    this.#fill = 1e9;
  }

  /** The peer reads again, all that was queued. */
  drain(): void {
    this.#stalled = false;
    this.#fill = 0;
    this.#flush();
    this.onDrain();
  }

  settled(): void {
    this.settledTimes++;
  }

  timeUp(): void {
    this.timesUp++;
  }

  ping(): void {
    this.pings++;
  }

  pause(): void {
    this.paused = true;
    this.pauses.push(true);
  }

  resume(): void {
    this.paused = false;
    this.pauses.push(false);
  }

  close(code: number, reason: string): void {
    this.closedWith ??= { code, reason };
  }

  terminate(): void {
    this.terminated = true;
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const bytes of queue) {
      this.sentBytes += bytes.length;
      this.#read.push(...textsIn(Buffer.from(bytes)));
    }
  }
}

/** The texts of unmasked, unfragmented text frames (RFC 6455 §5.2). */
function textsIn(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 0x81) throw new Error(`not the start of a text frame at ${at}`);
    const short = bytes.readUInt8(at + 1);
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const start = at + 2 + extended;
    const length =
      extended === 0
        ? short
        : extended === 2
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    texts.push(bytes.toString('utf8', start, start + length));
    at = start + length;
  }
  return texts;
}
