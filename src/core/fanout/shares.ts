import type { StoredMessage } from '../../store/message.js';
import type { Carrier, Encoding, Fan, Transport } from '../carrier.js';

/** Who was looked at just now is still in the processor's cache when it is written to. */
const TOGETHER = 128;

/** Of a subscription, what is needed to give it something. */
interface Receiver {
  readonly carrier: Carrier;
  readonly session: { write(printed: unknown): void };
}

/** What one flush of a feed is to the carriers of one kind: of one transport and one encoding. */
export class Share {
  readonly transport: Transport;
  readonly encoding: Encoding;
  /** The whole batch. */
  readonly printed: unknown;
  /** Messages that were news, summed over the subscriptions. */
  delivered = 0;
  /** Of the first that has one. */
  #fan: Fan | undefined;
  #together: Carrier[] = [];

  constructor({ transport, encoding }: Carrier, printed: unknown) {
    this.transport = transport;
    this.encoding = encoding;
    this.printed = printed;
  }

  /** The subscription's session gets it: now, or with others at `send`. */
  give({ carrier, session }: Receiver): void {
    const { fan } = carrier;
    this.#fan ??= fan;
    if (fan === undefined || fan !== this.#fan) session.write(this.printed);
    else if (this.#together.push(carrier) === TOGETHER) this.send();
  }

  send(): void {
    if (this.#together.length === 0) return;
    const carriers = this.#together;
    this.#together = [];
    this.#fan?.write(carriers, this.printed);
  }
}

/** A batch of a feed, printed once for each kind of carrier that it is for. */
export class Shares {
  readonly #channel: string;
  readonly #batch: readonly StoredMessage[];
  readonly #byEncoding = new Map<Encoding, Share[]>();
  /** Most often the next carrier is of the same kind. */
  #last: Share | undefined;

  constructor(channel: string, batch: readonly StoredMessage[]) {
    this.#channel = channel;
    this.#batch = batch;
  }

  of(carrier: Carrier): Share {
    const last = this.#last;
    if (last !== undefined && last.encoding === carrier.encoding && last.transport === carrier.transport)
      return last;
    this.#last = this.#find(carrier);
    return this.#last;
  }

  /** Everybody has what was given to it until now. */
  send(): void {
    for (const share of this) share.send();
  }

  *[Symbol.iterator](): Iterator<Share> {
    for (const shares of this.#byEncoding.values()) yield* shares;
  }

  #find(carrier: Carrier): Share {
    const { transport, encoding } = carrier;
    const shares = this.#byEncoding.get(encoding) ?? [];
    const found = shares.find((share) => share.transport === transport);
    if (found !== undefined) return found;
    const printed = shares[0]?.printed ?? encoding.messages(this.#channel, this.#batch, true);
    const share = new Share(carrier, printed);
    this.#byEncoding.set(encoding, [...shares, share]);
    return share;
  }
}
