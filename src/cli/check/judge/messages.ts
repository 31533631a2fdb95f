import type { EventOf } from '../history/events.js';

/** What is known of one message. */
export interface Message {
  readonly uid: string;
  readonly channel: string;
  readonly by: string;
  readonly hash: string;
  readonly producer: EventOf<'publish.invoked'>['producer'];
  /** Where it was first sent, in the history. */
  readonly line: number;
  /** The last place on its channel that had been accepted by then. */
  readonly after: string | undefined;
  readonly tries: Tries;
  /** Its place, where one was told. */
  offset?: string;
  /** Its number among the messages of its channel that have a place; -1 where it has none. */
  rank: number;
  /** What came right after it in one piece: of those only the last is told its place. */
  follower?: Message;
  /** The first line that delivers it. */
  deliveredLine?: number;
  /** The last line where somebody asked who then got it: it was still kept. */
  askedLine: number;
  /** Whether a reader of all there is got it. */
  isInLog: boolean;
  /** Who reads all there is, and was told that it is gone: some of them, or every one. */
  toldGone: 'nobody' | 'some' | 'all';
}

/** How the tries to publish a message ended. */
export interface Tries {
  /** Sent, and neither answered nor given up yet. */
  open: EventOf<'publish.invoked'>['how'] | undefined;
  accepted: number;
  acceptedLine?: number;
  refused: number;
  unknown: number;
}

/** The messages of one channel, by their places once all of them are known. */
export class ChannelLog {
  readonly name: string;
  /** The position before its first message. */
  readonly made: string;
  readonly line: number;
  messages: Message[] = [];
  /** Every position there is: that it was made with, and those after a message. */
  readonly places: Map<string, Message | undefined>;
  /** Of what was accepted so far, the last place. */
  lastAccepted: string | undefined;
  /** How many of the first messages some reader of all there is was told to be gone. */
  trimmed = 0;
  fence: Message | undefined;
  /** What may be in it, and nobody was told of. */
  readonly unknown: Message[] = [];

  constructor(name: string, made: string, line: number) {
    this.name = name;
    this.made = made;
    this.line = line;
    this.places = new Map([[made, undefined]]);
  }

  /** How many messages stand at this position or before it. */
  countTo(offset: string): number {
    let [low, high] = [0, this.messages.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.messages[middle]?.offset ?? '') <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether any position of it is of the same life: the first part of an offset (docs/protocol.md). */
  hasLifeOf(offset: string): boolean {
    const life = lifeOf(offset);
    return (
      life === lifeOf(this.made) || this.messages.some((message) => lifeOf(message.offset ?? '') === life)
    );
  }

  /** Those from the `from`-th to before the `to`-th that were stored, whether they are still kept or not. */
  storedBetween(from: number, to: number): Message[] {
    return this.messages.slice(from, to).filter(({ isInLog, toldGone }) => isInLog || toldGone !== 'nobody');
  }

  /** Those of them that were still kept at that line. What is gone does not come back. */
  keptBetween(from: number, to: number, line: number): Message[] {
    return this.messages.slice(Math.max(from, 0), to).filter(({ askedLine }) => askedLine > line);
  }

  /** The number of the first that is kept. */
  get firstKept(): number {
    const first = this.messages.findIndex(({ isInLog }) => isInLog);
    return first === -1 ? this.messages.length : first;
  }
}

function lifeOf(offset: string): string {
  return offset.slice(0, offset.lastIndexOf('_'));
}
