import type { Encoding } from '../../core/carrier.js';
import type { EventData } from './channel-stream.js';
import { printData } from './channel-stream.js';
import { eventText, retryText } from './event.js';
import type { EventStreamOptions } from './event-stream.js';
import { EventStream } from './event-stream.js';
import type { HttpResponse } from './response-carrier.js';

/** Events of one channel, and whether the reader knows then that nothing follows them yet. */
export interface ChannelEvents {
  readonly text: string | Uint8Array;
  readonly upToDate: boolean;
}

/** Where a reader stands after an event (Durable Streams §5.8). */
interface Control {
  readonly offset: string;
  readonly upToDate: boolean;
  readonly closed?: boolean;
}

/** The events of one kind of channel: printed once for all readers, but for those that wait with a cursor of later. */
export class ChannelEventEncoding implements Encoding<ChannelEvents> {
  readonly #data: EventData;
  readonly #cursor: () => number;

  constructor(data: EventData, cursor: () => number) {
    this.#data = data;
    this.#cursor = cursor;
  }

  messages(...[, messages, upToDate]: Parameters<Encoding['messages']>): ChannelEvents {
    const offset = messages.at(-1)?.offset ?? '';
    const data = eventText({ event: 'data', id: offset, data: printData(this.#data, messages) });
    return { text: Buffer.from(data + this.#control({ offset, upToDate })), upToDate };
  }

  push(...[push]: Parameters<Encoding['push']>): ChannelEvents | undefined {
    if (push.type === 'closed')
      return { text: this.#control({ offset: push.offset, upToDate: true, closed: true }), upToDate: true };
    if (push.type === 'bye' && push.afterMs !== undefined) {
      const [from, to] = push.afterMs;
      return { text: retryText(from + Math.random() * (to - from)), upToDate: false };
    }
    return undefined;
  }

  reply(): undefined {
    return undefined;
  }

  /** Tells where a reader stands that nothing has come for. */
  standing(offset: string): ChannelEvents {
    return { text: this.#control({ offset, upToDate: true }), upToDate: true };
  }

  /** A closed channel has no cursor: nobody comes back to it. */
  #control({ offset, upToDate, closed = false }: Control): string {
    const data = {
      streamNextOffset: offset,
      ...(!closed && { streamCursor: String(this.#cursor()) }),
      ...(upToDate && { upToDate }),
      ...(closed && { streamClosed: true }),
    };
    return eventText({ event: 'control', id: offset, data: JSON.stringify(data) });
  }
}

export interface ChannelEventStreamOptions extends EventStreamOptions {
  /** The offset where the reader stands. */
  readonly standsAt: () => string;
}

/** One channel as Server-Sent Events. */
export class ChannelEventStream extends EventStream<ChannelEvents> {
  readonly #standsAt: () => string;
  #standing: ((offset: string) => ChannelEvents) | undefined;
  #knowsUpToDate = false;

  constructor(response: HttpResponse, options: ChannelEventStreamOptions) {
    super(response, options);
    this.#standsAt = options.standsAt;
  }

  /** To be called before anything is written: how this channel is printed. */
  prints(encoding: ChannelEventEncoding): void {
    this.encoding = encoding;
    this.#standing = (offset) => encoding.standing(offset);
  }

  write({ text, upToDate }: ChannelEvents): void {
    this.send(text);
    this.#knowsUpToDate = upToDate;
  }

  settled(): void {
    if (!this.#knowsUpToDate && this.#standing !== undefined) this.write(this.#standing(this.#standsAt()));
  }
}
