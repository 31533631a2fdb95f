import type { EventOf, HistoryEvent, ReaderPlan } from '../history/events.js';
import type { Findings } from './findings.js';
import type { Message } from './messages.js';
import { ChannelLog } from './messages.js';
import { Publishing } from './publishing.js';

/** Somebody who reads all there is was told that messages are gone. */
interface Trim {
  readonly reading: Reading;
  /** Where it stood. */
  readonly from: string;
  /** Where reading goes on; undefined where what comes next tells. */
  readonly offset: string | undefined;
  next: Message | undefined;
}

/** One reader of one channel. */
interface Reading {
  readonly by: string;
  readonly channel: string;
  /** Whether it reads all there is. */
  readonly isOfAll: boolean;
  position: string;
  /** Where it asked for what it now hears. */
  askedLine: number;
  /** That what comes next is yet to tell the end of. */
  untold: Trim | undefined;
}

type Heard = EventOf<'read.began' | 'read.joined' | 'read.stands' | 'read.gap' | 'read.received'>;

/** What was published, and where it stands: from one pass over a history. */
export class Ledger {
  readonly channels = new Map<string, ChannelLog>();
  readonly plans = new Map<string, ReaderPlan>();
  /** Nothing goes but by a loss. */
  isWhole = false;
  readonly #findings: Findings;
  readonly #publishing: Publishing;
  readonly #trims: Trim[] = [];
  /** How many there are, by channel. */
  readonly #readersOfAll = new Map<string, number>();
  readonly #readings = new Map<string, Reading>();
  #line = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
    this.#publishing = new Publishing(findings, this.channels);
  }

  get messages(): ReadonlyMap<string, Message> {
    return this.#publishing.messages;
  }

  /** A message as it came in one piece that ends there; undefined where it was never sent. */
  at(offset: string, log: ChannelLog, uid: string): Message | undefined {
    if (this.messages.get(uid)?.channel !== log.name) return this.messages.get(uid);
    const { age } = this.#publishing;
    return this.#publishing.in(log.hear(offset, age).age, uid, this.#line);
  }

  take(event: HistoryEvent, line: number): void {
    this.#line = line;
    switch (event.kind) {
      case 'begin':
        this.#publishing.run = event.run;
        this.isWhole = event.whole === true;
        for (const plan of event.readers) this.#plan(plan);
        break;
      case 'channel.made':
        if (this.channels.has(event.channel)) this.#findings.fault(line, `${event.channel} is made again`);
        this.channels.set(event.channel, new ChannelLog(event.channel, event.offset, line));
        break;
      case 'publish.invoked':
        this.#publishing.invoked(event, line);
        break;
      case 'publish.accepted':
        this.#publishing.answered(event, line);
        this.#accepted(event);
        break;
      case 'publish.refused':
      case 'publish.unknown':
        this.#publishing.answered(event, line);
        break;
      case 'read.began':
        this.#reading(event).askedLine = line;
        this.#reading(event).position = event.from;
        break;
      case 'read.joined':
        this.#hear(event.channel, event.offset);
        if (event.resume === 'lost') this.#trimmed(event, event.offset);
        this.#reading(event).position = event.offset;
        break;
      case 'read.stands':
        this.#hear(event.channel, event.offset);
        this.#reading(event).position = event.offset;
        break;
      case 'read.gap':
        if (event.offset !== null) this.#hear(event.channel, event.offset);
        this.#trimmed(event, event.offset ?? undefined);
        this.#reading(event).position = event.offset ?? '-1';
        break;
      case 'read.received':
        this.#received(event, line);
        this.#reading(event).position = event.offset;
        break;
      case 'fault':
        if (event.what === 'loss') this.#publishing.age++;
        break;
    }
  }

  #hear(channel: string, offset: string): void {
    this.channels.get(channel)?.hear(offset, this.#publishing.age);
  }

  #accepted({ uid, channel, offset }: EventOf<'publish.accepted'>): void {
    const log = this.channels.get(channel);
    if (log !== undefined) this.#place(this.at(offset, log, uid), offset, this.#line);
  }

  #plan(plan: ReaderPlan): void {
    const { by, channels } = plan;
    if (this.plans.has(by) || new Set(channels).size < channels.length)
      this.#findings.fault(this.#line, `it is said twice what ${by} reads`);
    this.plans.set(by, plan);
    for (const channel of plan.start === 'made' ? channels : [])
      this.#readersOfAll.set(channel, (this.#readersOfAll.get(channel) ?? 0) + 1);
  }

  /** Nothing more comes: every message has its rank, and what is missing is found. */
  settle(): void {
    this.#publishing.finish(this.#line);
    const all = [...this.messages.values()].flatMap(({ copies }) => copies);
    for (const message of all) {
      const log = this.channels.get(message.channel);
      if (message.offset !== undefined) log?.messages.push(message);
      else if (message.tries.unknown > 0) log?.unknown.push(message);
    }
    for (const log of this.channels.values()) log.settle();
    this.#trim();
    for (const message of all) this.#judge(message);
  }

  /** Whether it may be gone, and everybody who would have got it was told so. */
  #isRightlyGone(message: Message): boolean {
    const { age } = this.#publishing;
    const since = message.life?.since ?? message.age ?? age;
    if (this.isWhole && since >= age) return false;
    return message.toldGone === 'all' || this.#mayBeGone(message);
  }

  /** Its place was never told, and what stands around it, or right before, was told to be gone. */
  #mayBeGone({ rank, channel, follower }: Message): boolean {
    if (rank !== -1) return false;
    const seen = new Set<Message>();
    let next = follower;
    while (next !== undefined && next.rank === -1 && !seen.has(next)) {
      seen.add(next);
      next = next.follower;
    }
    const before = this.channels.get(channel)?.messages[(next?.rank ?? 0) - 1];
    return next?.toldGone === 'all' || before?.toldGone === 'all';
  }

  #reading({ by, channel }: Heard): Reading {
    const name = `${by} ${channel}`;
    const isOfAll = this.plans.get(by)?.start === 'made';
    const reading = this.#readings.get(name) ?? {
      ...{ by, channel, isOfAll },
      ...{ position: '-1', askedLine: this.#line, untold: undefined },
    };
    this.#readings.set(name, reading);
    return reading;
  }

  #trimmed(heard: Heard, offset: string | undefined): void {
    const reading = this.#reading(heard);
    if (!reading.isOfAll) return;
    const trim: Trim = { reading, from: reading.position, offset, next: undefined };
    this.#trims.push(trim);
    if (offset === undefined) reading.untold = trim;
  }

  /** What readers of all there is were told to be gone. */
  #trim(): void {
    const told = new Map<Message, Set<Reading>>();
    for (const { reading, from, offset, next } of this.#trims) {
      const log = this.channels.get(reading.channel);
      const end = offset === undefined ? (next?.rank ?? 0) : log?.countTo(offset);
      for (const message of log?.messages.slice(log.countTo(from), end) ?? [])
        told.set(message, (told.get(message) ?? new Set()).add(reading));
      if (log !== undefined) log.trimmed = Math.max(log.trimmed, end ?? 0);
    }
    for (const [message, readings] of told)
      message.toldGone = readings.size < (this.#readersOfAll.get(message.channel) ?? 0) ? 'some' : 'all';
  }

  #received(event: EventOf<'read.received'>, line: number): void {
    const { channel, offset } = event;
    const reading = this.#reading(event);
    const log = this.channels.get(channel);
    const items = event.items.map(([uid]) => log && this.at(offset, log, uid));
    for (const [at, message] of items.entries()) {
      if (message === undefined || message.channel !== channel) continue;
      const follower = items[at + 1];
      if (follower !== undefined) message.follower ??= follower;
      message.deliveredLine ??= line;
      message.askedLine = Math.max(message.askedLine, reading.askedLine);
      message.isInLog ||= reading.isOfAll;
    }
    if (reading.untold !== undefined) reading.untold.next ??= items[0];
    const message = items.at(-1);
    if (message?.channel === channel) this.#place(message, offset, line);
  }

  #place(message: Message | undefined, offset: string, line: number): void {
    const log = message && this.channels.get(message.channel);
    if (message === undefined || log === undefined) return;
    message.offset ??= offset;
    message.life ??= log.hear(message.offset, this.#publishing.age);
    const there = log.places.get(offset);
    if (there !== undefined && there !== message)
      this.#findings.broken(
        'order',
        `both ${there.uid} and ${message.uid} stand at ${offset}`,
        there.line,
        line,
      );
    else if (log.made === offset)
      this.#findings.broken('order', `${message.uid} stands before the first place`, line);
    else log.places.set(offset, message);
  }

  #judge(message: Message): void {
    const { uid, tries, offset, line, after, acceptedLine, deliveredLine, isInLog } = message;
    if (offset !== undefined && after !== undefined && offset <= after)
      this.#findings.broken(
        'order',
        `${uid} was sent after ${after} was taken, and stands before it, at ${offset}`,
        line,
      );
    if (tries.accepted + tries.unknown === 0 && tries.refused > 0 && deliveredLine !== undefined)
      this.#findings.broken('phantom', `${uid} was refused, and is delivered`, line, deliveredLine);
    if (acceptedLine !== undefined) this.#findings.checked('kept');
    if (isInLog || this.#isRightlyGone(message)) return;
    if (acceptedLine !== undefined)
      this.#findings.broken('kept', `${uid} was accepted at ${offset}, and is not in the log`, acceptedLine);
    else if (deliveredLine !== undefined)
      this.#findings.broken('kept', `${uid} was delivered, and is not in the log`, line, deliveredLine);
  }
}
