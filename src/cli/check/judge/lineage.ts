import type { EventOf, ReaderPlan } from '../history/events.js';
import type { Findings } from './findings.js';
import type { Ledger } from './ledger.js';
import type { ChannelLog, Life, Message } from './messages.js';
import { isBeforeTheFirst } from './messages.js';

type ReadEvent = EventOf<
  'read.began' | 'read.joined' | 'read.received' | 'read.stands' | 'read.gap' | 'read.ended'
>;

/** What is known when something is heard. */
interface Now {
  /** The number of the first message that had not been accepted by now. */
  readonly taken: number;
  /** How often the log was lost by now. */
  readonly age: number;
}

/** Where a reader stood when it was told of a gap, and when. */
interface GapFrom {
  readonly next: number;
  readonly line: number;
  readonly age: number;
}

/** One reader's way through one channel, across its connections and techniques. */
export class Lineage {
  readonly #findings: Findings;
  readonly #ledger: Ledger;
  readonly #log: ChannelLog;
  readonly #who: string;
  /** Where it would resume from. */
  #position: string;
  /** The number of the message that has to come next; undefined where that is not known yet. */
  #next: number | undefined;
  /** The number of the first that it had to get, where it did not begin with all there is. */
  #first: number | undefined;
  /** Where that is not known: what comes first is this one at the earliest, and this one at the latest. */
  #earliest = 0;
  #latest = Number.POSITIVE_INFINITY;
  /** Messages that it passed over, and the line where. */
  readonly #missing = new Map<Message, number>();
  /** It was told of a gap, and has not heard where it goes on: it stood here. */
  #gapFrom: GapFrom | undefined;
  /** What it heard last came of this age at the latest; undefined where it has heard nothing, or was told of a gap. */
  #age: number | undefined;
  /** The log that it stands in; undefined where that is not known yet. */
  #life: Life | undefined;
  #technique: string | undefined;
  #hasFence = false;
  #line = 0;
  #now: Now = { taken: 0, age: 0 };

  constructor(findings: Findings, ledger: Ledger, log: ChannelLog, { by, start }: ReaderPlan) {
    this.#findings = findings;
    this.#ledger = ledger;
    this.#log = log;
    this.#who = `${by} on ${log.name}`;
    this.#position = start === 'made' ? log.made : start;
    if (start !== 'made') return;
    this.#next = this.#first = this.#age = 0;
    this.#life = log.lifeOf(log.made);
  }

  take(event: ReadEvent, line: number, now: Now): void {
    this.#line = line;
    this.#now = now;
    if (event.kind !== 'read.began' && this.#technique !== event.technique)
      this.#fault(`${this.#who} hears by ${event.technique} what it has not asked for`);
    switch (event.kind) {
      case 'read.began':
        this.#began(event);
        break;
      case 'read.joined':
        this.#joined(event);
        break;
      case 'read.received':
        this.#received(event);
        break;
      case 'read.stands':
        this.#stands(event.offset);
        break;
      case 'read.gap':
        if ((event.offset === null) !== isOfStream(event.technique))
          this.#fault(`${this.#who} is told of a gap as by another technique`);
        this.#gap(event.offset);
        break;
      case 'read.ended':
        this.#technique = undefined;
    }
  }

  finish(): void {
    this.#findings.checked('convergence');
    if (this.#technique !== undefined) this.#fault(`${this.#who} has not ended`);
    for (const [{ uid }, line] of this.#missing)
      this.#broken('gap', `never got ${uid}, and nobody said so`, line);
    if (!this.#hasFence) this.#broken('convergence', 'never got the last message', this.#line);
  }

  #began({ technique, from }: EventOf<'read.began'>): void {
    if (this.#technique !== undefined) this.#fault(`${this.#who} begins before it has ended`);
    if (from !== this.#position)
      this.#fault(`${this.#who} begins at ${from}, and stood at ${this.#position}`);
    this.#technique = technique;
    if (from === 'now') this.#earliest = this.#now.taken;
    if (from === '-1' && this.#next === undefined) this.#latest = this.#log.firstKept;
  }

  #joined({ offset, resume }: EventOf<'read.joined'>): void {
    const asked = this.#position;
    if ((resume === 'none') !== (asked === '-1' || asked === 'now'))
      this.#broken('gap', `asked for ${asked}, and was told "${resume}"`);
    if (resume === 'complete' && offset !== asked)
      this.#broken('order', `asked for ${asked}, and was put at ${offset}`);
    if (resume === 'lost') this.#gap(offset);
    else this.#stands(offset);
  }

  #received({ items, offset }: EventOf<'read.received'>): void {
    for (const name of ['phantom', 'order', 'gap', 'duplicate'] as const)
      this.#findings.checked(name, items.length);
    let last: Message | undefined;
    for (const [uid, hash] of items) {
      last = this.#genuine(uid, hash, offset);
      if (last === undefined) continue;
      if (last.uid === this.#log.fence?.uid) this.#hasFence = true;
      this.#pass(last, offset);
    }
    if (last !== undefined && last.offset !== offset)
      this.#broken('order', `got ${last.uid} at ${offset}, which stands at ${last.offset}`, last.line);
    this.#position = offset;
  }

  /** A message that was published on this channel, as it came; undefined where it was not. */
  #genuine(uid: string, hash: string, offset: string): Message | undefined {
    const message = this.#ledger.at(offset, this.#log, uid);
    if (message === undefined || message.channel !== this.#log.name) {
      this.#broken('phantom', `got ${uid}, which nobody has published there`, message?.line);
      return undefined;
    }
    if (message.line > this.#line) this.#broken('phantom', `got ${uid} before it was sent`, message.line);
    if (message.hash !== hash) this.#broken('phantom', `got ${uid} altered`, message.line);
    return message;
  }

  #pass(message: Message, offset: string): void {
    const { rank, uid } = message;
    if (rank === -1) return; // it is in nobody's log: that is told of the message
    this.#comesTo(message.life);
    this.#begins(rank);
    const next = this.#next ?? rank;
    if (rank > next) this.#skip(next, rank);
    if (rank >= next) {
      this.#next = rank + 1;
      return;
    }
    if (this.#missing.delete(message) || rank < (this.#first ?? 0))
      this.#broken('order', `got ${uid} after what stands behind it`, message.line);
    else if (message.offset !== offset && this.#log.places.get(offset) === message)
      this.#broken('once', `got ${uid} a second time, at ${offset} and not ${message.offset}`, message.line);
    else this.#broken('duplicate', `got ${uid} again`, message.line);
  }

  /** Where it begins, or goes on after a gap, was not known until now. */
  #begins(rank: number): void {
    if (this.#next !== undefined) return;
    const gap = this.#gapFrom;
    this.#next = rank;
    this.#first ??= rank;
    this.#gapFrom = undefined;
    if (gap !== undefined) this.#checkGap(gap, rank);
    if (rank < this.#earliest) this.#broken('order', 'began at the tail, and got what was there before');
    if (rank > this.#latest) this.#skip(this.#latest, rank);
    this.#earliest = 0;
    this.#latest = Number.POSITIVE_INFINITY;
  }

  #skip(from: number, to: number): void {
    for (const message of this.#log.storedBetween(from, to)) this.#missing.set(message, this.#line);
  }

  /** It is told where it stands. */
  #stands(offset: string): void {
    this.#findings.checked('gap');
    const next = this.#log.countTo(offset);
    this.#checkPlace(offset);
    this.#comesTo(this.#log.lifeOf(offset));
    this.#begins(next);
    if (this.#next !== undefined && next > this.#next) this.#skip(this.#next, next);
    if (this.#next !== undefined && next < this.#next)
      this.#broken('order', `is told that it stands at ${offset} again`);
    this.#next = Math.max(next, this.#next ?? 0);
    this.#position = offset;
  }

  #gap(offset: string | null): void {
    this.#findings.checked('gap');
    const next = this.#next ?? 0;
    if (offset === null) {
      this.#gapFrom = { next, line: this.#line, age: this.#now.age };
      this.#age = this.#life = undefined;
      this.#next = undefined;
      this.#latest = this.#log.firstKept;
      this.#position = '-1';
      return;
    }
    this.#checkPlace(offset, !this.#ledger.isWhole);
    this.#life = this.#log.lifeOf(offset);
    this.#age = this.#life?.age;
    const goesOn = this.#log.countTo(offset);
    this.#checkGap({ next, line: this.#line, age: this.#now.age }, goesOn);
    this.#next = Math.max(next, goesOn);
    this.#position = offset;
  }

  /** What is said to be missing is: else readers are told to give up what is there. */
  #checkGap({ next: from, line, age }: GapFrom, to: number): void {
    const [kept] = this.#log.keptBetween(from, to, this.#line); // where it goes on is decided only when it does
    if (kept !== undefined)
      this.#broken('gap', `was told that ${kept.uid} is no longer kept, and it is`, line);
    else if (to <= from && !this.#log.mayEndBefore(from, age) && !this.#mayMissUnknown(from, line))
      this.#broken('gap', 'was told of a gap where nothing is missing', line);
  }

  /** From one log to another nobody gets without being told, whether anything is missing or not. */
  #comesTo(life: Life | undefined): void {
    if (life === undefined) return;
    const isAnother = life.isAnew && this.#life !== undefined && this.#life !== life;
    if (isAnother || (this.#age !== undefined && life.since > this.#age))
      this.#broken('gap', `comes to ${life.name}, and was not told that what was before it is lost`);
    this.#age = Math.max(this.#age ?? 0, life.age);
    this.#life = life;
  }

  /** What nobody was told of may be gone, if it was sent by then, and what stands before it is gone as well. */
  #mayMissUnknown(from: number, line: number): boolean {
    const mayBe = this.#log.unknown.some(
      ({ line: sent, after }) => sent < line && (after === undefined || this.#log.countTo(after) <= from),
    );
    return mayBe && this.#log.keptBetween(from - 1, from, line).length === 0;
  }

  /** A position is that before the first message, or that after one, which in a log that was lost may be unknown. */
  #checkPlace(offset: string, mayBeUnknown = true): void {
    if (this.#log.places.has(offset)) return;
    const isPossible = mayBeUnknown || isBeforeTheFirst(offset);
    if (isPossible && this.#log.mayBeginAt(offset, this.#now.age)) return;
    const isBeforeKept = this.#log.trimmed > 0 && this.#log.countTo(offset) <= this.#log.trimmed;
    if (!isBeforeKept || !this.#log.hasLifeOf(offset))
      this.#broken('order', `is told that it stands at ${offset}, where nothing is`);
  }

  #broken(promise: Parameters<Findings['broken']>[0], what: string, ...lines: (number | undefined)[]): void {
    this.#findings.broken(promise, `${this.#who} ${what}`, ...lines, this.#line);
  }

  #fault(what: string): void {
    this.#findings.fault(this.#line, what);
  }
}

/** Where a gap is told as 410, and no position with it. */
function isOfStream(technique: ReadEvent['technique']): boolean {
  return technique === 'sse' || technique === 'long-poll' || technique === 'poll';
}
