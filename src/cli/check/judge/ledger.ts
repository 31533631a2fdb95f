import type { EventOf, HistoryEvent, ReaderPlan } from '../history/events.js';
import type { Findings } from './findings.js';
import type { Message } from './messages.js';
import { ChannelLog } from './messages.js';
import { Publishing } from './publishing.js';

/** Somebody who reads all there is was told that the first messages are gone. */
interface Trim {
  readonly channel: string;
  /** Where reading goes on; undefined where what comes next tells. */
  readonly offset: string | undefined;
  next: string | undefined;
}

/** What was published, and where it stands: from one pass over a history. */
export class Ledger {
  readonly channels = new Map<string, ChannelLog>();
  readonly plans = new Map<string, ReaderPlan>();
  readonly #findings: Findings;
  readonly #publishing: Publishing;
  readonly #trims: Trim[] = [];
  /** By lineage, those that what comes next is yet to tell the place of. */
  readonly #untold = new Map<string, Trim>();
  #line = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
    this.#publishing = new Publishing(findings, this.channels);
  }

  get messages(): ReadonlyMap<string, Message> {
    return this.#publishing.messages;
  }

  take(event: HistoryEvent, line: number): void {
    this.#line = line;
    switch (event.kind) {
      case 'begin':
        this.#publishing.run = event.run;
        for (const plan of event.readers) this.plans.set(plan.by, plan);
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
        this.#place(this.messages.get(event.uid), event.offset, line);
        break;
      case 'publish.refused':
      case 'publish.unknown':
        this.#publishing.answered(event, line);
        break;
      case 'read.joined':
        if (event.resume === 'lost') this.#trimmed(event, event.offset);
        break;
      case 'read.gap':
        this.#trimmed(event, event.offset ?? undefined);
        break;
      case 'read.received':
        this.#received(event, line);
        break;
    }
  }

  /** Nothing more comes: every message has its rank, and what is missing is found. */
  settle(): void {
    this.#publishing.finish(this.#line);
    for (const message of this.messages.values()) {
      const log = this.channels.get(message.channel);
      if (message.offset !== undefined) log?.messages.push(message);
      else if (log !== undefined && message.tries.unknown > 0) log.hasUnknown = true;
    }
    for (const log of this.channels.values()) {
      log.messages.sort((a, b) => ((a.offset ?? '') < (b.offset ?? '') ? -1 : 1));
      for (const [rank, message] of log.messages.entries()) message.rank = rank;
    }
    for (const trim of this.#trims) this.#trim(trim);
    for (const message of this.messages.values()) this.#judge(message);
  }

  #trimmed({ by, channel }: HistoryEvent & { readonly channel: string }, offset: string | undefined): void {
    if (this.plans.get(by)?.start !== 'made') return;
    const trim: Trim = { channel, offset, next: undefined };
    this.#trims.push(trim);
    if (offset === undefined) this.#untold.set(`${by} ${channel}`, trim);
  }

  #trim({ channel, offset, next }: Trim): void {
    const log = this.channels.get(channel);
    if (log === undefined) return;
    const count = offset === undefined ? (this.messages.get(next ?? '')?.rank ?? 0) : log.countTo(offset);
    log.trimmed = Math.max(log.trimmed, count);
  }

  #received({ by, channel, items, offset }: EventOf<'read.received'>, line: number): void {
    const isAll = this.plans.get(by)?.start === 'made';
    for (const [uid] of items) {
      const message = this.messages.get(uid);
      if (message === undefined || message.channel !== channel) continue;
      message.deliveredLine ??= line;
      if (isAll) message.isInLog = true;
    }
    const [first] = items[0] ?? [];
    const untold = this.#untold.get(`${by} ${channel}`);
    if (untold !== undefined) untold.next ??= first;
    const [last] = items.at(-1) ?? [];
    const message = this.messages.get(last ?? '');
    if (message?.channel === channel) this.#place(message, offset, line);
  }

  #place(message: Message | undefined, offset: string, line: number): void {
    const log = message && this.channels.get(message.channel);
    if (message === undefined || log === undefined) return;
    message.offset ??= offset;
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
    const { uid, tries, offset, rank, line, after, deliveredLine, isInLog } = message;
    const log = this.channels.get(message.channel);
    if (offset !== undefined && after !== undefined && offset <= after)
      this.#findings.broken(
        'order',
        `${uid} was sent after ${after} was taken, and stands before it, at ${offset}`,
        line,
      );
    if (tries.accepted + tries.unknown === 0 && tries.refused > 0 && deliveredLine !== undefined)
      this.#findings.broken('phantom', `${uid} was refused, and is delivered`, line, deliveredLine);
    if (tries.accepted > 0) this.#findings.checked('kept');
    const isTrimmed = log !== undefined && rank !== -1 && rank < log.trimmed;
    if (isInLog || isTrimmed) return;
    if (tries.accepted > 0)
      this.#findings.broken(
        'kept',
        `${uid} was accepted at ${offset}, and is not in the log`,
        tries.acceptedLine,
      );
    else if (deliveredLine !== undefined)
      this.#findings.broken('kept', `${uid} was delivered, and is not in the log`, line, deliveredLine);
  }
}
