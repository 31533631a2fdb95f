import type { EventOf } from '../history/events.js';

/**
 * The positions of a channel that begin alike (`src/protocol/offset.ts`). After a restart, and after a loss, a log goes on in
 * another. An age is the number of losses before.
 */
export interface Life {
  readonly name: string;
  /** It began in this age at the latest: that is when it was first heard of. */
  readonly age: number;
  /** It began in this age at the earliest: something was sent then, and stands in it, or before it. */
  since: number;
  /** Somebody was told where it begins: it is not one that another went on in, which keeps the places of that one. */
  isAnew: boolean;
}

/** What is known of one message in one log: what was stored before a loss may be stored once more after it. */
export interface Message {
  readonly uid: string;
  readonly channel: string;
  readonly by: string;
  readonly hash: string;
  readonly producer: EventOf<'publish.invoked'>['producer'];
  /** Where it was first sent, in the history. */
  readonly line: number;
  /** The age that it was first sent in. */
  readonly sentIn: number;
  /** The last place on its channel that had been accepted by then. */
  readonly after: string | undefined;
  readonly tries: Tries;
  /** The same message in every log that it was heard of in. */
  readonly copies: Message[];
  /** Of the log that it was first heard of in. */
  age?: number;
  /** Its place, where one was told. */
  offset?: string;
  life?: Life;
  acceptedLine?: number;
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
  sent: number;
  accepted: number;
  refused: number;
  unknown: number;
}

/** Of a position: that at the beginning of a log (`src/protocol/offset.ts`). */
export function isBeforeTheFirst(offset: string): boolean {
  return /_0+$/.test(offset);
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
  readonly #lives = new Map<string, Life>();

  constructor(name: string, made: string, line: number) {
    this.name = name;
    this.made = made;
    this.line = line;
    this.places = new Map([[made, undefined]]);
    this.hear(made, 0);
  }

  /** The life of a position that is told in this age. What begins before it was there before it. */
  hear(offset: string, age: number): Life {
    const name = lifeOf(offset);
    const life = this.#lives.get(name) ?? this.#newLife(name, age);
    life.isAnew ||= isBeforeTheFirst(offset);
    return life;
  }

  #newLife(name: string, age: number): Life {
    const later = [...this.#lives.values()].filter((life) => life.name > name);
    const life = { name, age: Math.min(age, ...later.map((each) => each.age)), since: 0, isAnew: false };
    this.#lives.set(name, life);
    return life;
  }

  /** Undefined for a position of a life that was never heard of. */
  lifeOf(offset: string): Life | undefined {
    return this.#lives.get(lifeOf(offset));
  }

  /** Every place is told: each message gets its number, and each life the age that it began in. */
  settle(): void {
    this.messages.sort((a, b) => ((a.offset ?? '') < (b.offset ?? '') ? -1 : 1));
    for (const [rank, message] of this.messages.entries()) {
      message.rank = rank;
      if (message.life !== undefined) message.life.since = Math.max(message.life.since, message.sentIn);
    }
    let since = 0;
    for (const life of [...this.#lives.values()].sort((a, b) => (a.name < b.name ? -1 : 1)))
      since = life.since = Math.max(since, life.since);
  }

  /** Whether, in this age, a log that was lost may have ended right before the `rank`-th message. */
  mayEndBefore(rank: number, age: number): boolean {
    const life = this.#lifeBefore(rank);
    return life !== undefined && life.since < age && life !== this.messages[rank]?.life;
  }

  /** Whether, in this age, a log may begin at a position that is after no message. */
  mayBeginAt(offset: string, age: number): boolean {
    const rank = this.countTo(offset);
    return this.mayEndBefore(rank, age) && this.#lifeBefore(rank) !== this.lifeOf(offset);
  }

  #lifeBefore(rank: number): Life | undefined {
    return rank === 0 ? this.lifeOf(this.made) : this.messages[rank - 1]?.life;
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

  /** Whether any position of it is of the same life: the first part of an offset (`src/protocol/offset.ts`). */
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

/** What the positions of one log begin with (`src/protocol/offset.ts`). */
export function lifeOf(offset: string): string {
  return offset.slice(0, offset.lastIndexOf('_'));
}
