import type { Position } from '../../src/protocol/offset.js';
import { formatOffset, parseOffset } from '../../src/protocol/offset.js';

interface ProducerState {
  readonly epoch: number;
  lastSeq: number;
  readonly offsets: string[];
}

/** One life of a channel, in the plainest way there is: all that was ever appended, and how much of it is cut off. */
export class Life {
  readonly name: string;
  epoch = '';
  /** The texts; the position after the n-th of them is `places[n]`. */
  readonly texts: string[];
  readonly places: string[];
  cut: number;
  closed = false;
  made = false;
  gone = false;
  ttlSeconds: number | undefined;
  usedAt = 0;
  order: string | undefined;
  readonly producers = new Map<string, ProducerState>();
  readonly source: Life | undefined;
  /** By which names it was asked for. */
  asked: { readonly starts: readonly string[]; readonly skip: number } | undefined;
  forks = 0;

  constructor(name: string, source?: Life, seq = 0) {
    this.name = name;
    this.source = source;
    this.texts = source?.texts.slice(0, seq) ?? [];
    this.places = source?.places.slice(0, seq + 1) ?? [];
    this.cut = source?.cut ?? 0;
    this.ttlSeconds = source?.ttlSeconds;
  }

  get tail(): number {
    return this.texts.length;
  }

  get offset(): string {
    return this.places[this.tail] ?? '';
  }

  /** As soon as the store has said which epoch it has. */
  begin(epoch: string): void {
    this.epoch = epoch;
    if (this.places.length === 0) this.places.push(formatOffset(epoch, 0));
  }

  push(texts: readonly string[], kept: number): void {
    for (const text of texts) {
      this.texts.push(text);
      this.places.push(formatOffset(this.epoch, this.tail));
    }
    this.cut = Math.max(this.cut, this.tail - kept);
  }

  /** How many messages are before that place; undefined where it is none of this life. */
  indexOf(offset: string): number | undefined {
    const at = this.places.indexOf(offset);
    return at === -1 ? undefined : at;
  }

  /** True where some of its places are told so. */
  knows(offset: string): boolean {
    return this.places.some((place) => place.slice(0, 11) === offset.slice(0, 11));
  }

  page(start: string, messages: number): unknown {
    const asked = start === 'now' ? this.tail : start === '-1' ? this.cut : this.indexOf(start);
    if (asked === undefined && this.knows(start)) return 'bad_offset';
    const lost = asked === undefined ? 'reset' : asked < this.cut ? 'retention' : undefined;
    const from = lost === undefined ? (asked ?? 0) : this.cut;
    const to = start === 'now' ? from : Math.min(from + messages, this.tail);
    return {
      texts: this.texts.slice(from, to),
      offsets: this.places.slice(from + 1, to + 1),
      epoch: this.epoch,
      seq: to,
      startOffset: this.places[from],
      offset: this.places[to],
      lost,
      upToDate: to === this.tail,
      closed: this.closed,
    };
  }
}

/** The channels. */
export class PlainWorld {
  readonly lives = new Map<string, Life>();
  /** Every offset that was given out. */
  readonly offsets: string[] = [];

  /** That of which somebody may ask for something. */
  find(name: string): Life | 'gone' | undefined {
    const life = this.lives.get(name);
    return life?.gone === true ? 'gone' : life;
  }

  made(name: string): Life | 'gone' | undefined {
    const life = this.find(name);
    return typeof life === 'object' && !life.made ? undefined : life;
  }

  enter(life: Life): Life {
    if (life.source !== undefined) life.source.forks++;
    this.lives.set(life.name, life);
    return life;
  }

  remove(life: Life): void {
    life.gone = true;
    if (life.forks > 0) return;
    this.lives.delete(life.name);
    if (life.source === undefined) return;
    life.source.forks--;
    if (life.source.gone) this.remove(life.source);
  }

  /** What is over is deleted. */
  pass(now: number): void {
    for (const life of [...this.lives.values()]) {
      const { gone, ttlSeconds, usedAt } = life;
      if (!gone && ttlSeconds !== undefined && now - usedAt >= ttlSeconds * 1000) this.remove(life);
    }
  }

  list(): string[] {
    return [...this.lives.values()]
      .filter(({ made, gone }) => made && !gone)
      .map(({ name }) => name)
      .sort();
  }

  /** What a fork would take over: how many messages; or why not. */
  anchor(source: Life, start: string, skip: number): number | 'bad_offset' | 'gone' {
    const at = start === 'now' ? source.tail : start === '-1' ? source.cut : source.indexOf(start);
    if (at === undefined) return 'bad_offset';
    if (at < source.cut) return 'gone';
    return at + skip > source.tail ? 'bad_offset' : at + skip;
  }
}

/** As the store wants it. */
export function startOf(start: string): Position | '-1' | 'now' {
  return start === '-1' || start === 'now' ? start : (parseOffset(start) as Position); // it is no other
}
