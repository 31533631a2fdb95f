import type { HistoryEvent } from '../history/events.js';
import type { Line } from '../history/file.js';
import { linesOf } from '../history/file.js';
import { Denials } from './denials.js';
import type { Verdict } from './findings.js';
import { Findings } from './findings.js';
import { Form } from './form.js';
import { Ledger } from './ledger.js';
import { Lineage } from './lineage.js';

/** What is promised, held against a history. Pure: it reads and does nothing. */
export function judge(events: readonly HistoryEvent[]): Verdict {
  const court = new Court();
  for (const event of events) court.first({ event });
  court.settle();
  for (const event of events) court.second({ event });
  return court.verdict();
}

/** The same for a history in a file, which is read twice and never held as a whole. */
export async function judgeFile(path: string): Promise<Verdict> {
  const court = new Court();
  for await (const line of linesOf(path)) court.first(line);
  court.settle();
  for await (const line of linesOf(path)) court.second(line);
  return court.verdict();
}

/** Two passes: the first learns what was published and where it stands, the second follows each reader. */
class Court {
  readonly #findings = new Findings();
  readonly #form = new Form(this.#findings);
  readonly #ledger = new Ledger(this.#findings);
  readonly #denials = new Denials(this.#findings);
  readonly #lineages = new Map<string, Lineage>();
  /** Of what is accepted so far in the second pass, the last place of each channel. */
  readonly #accepted = new Map<string, string>();
  #age = 0;
  #line = 0;

  first(line: Line): void {
    this.#line++;
    if ('fault' in line) {
      this.#findings.fault(this.#line, line.fault);
      return;
    }
    this.#form.take(line.event, this.#line);
    this.#ledger.take(line.event, this.#line);
  }

  settle(): void {
    this.#form.finish();
    this.#ledger.settle();
    for (const plan of this.#ledger.plans.values()) {
      if (plan.start === 'nowhere') this.#denials.expect(plan);
      for (const channel of plan.start === 'nowhere' ? [] : plan.channels) {
        const log = this.#ledger.channels.get(channel);
        if (log === undefined) this.#findings.fault(1, `${channel} was not made`);
        else
          this.#lineages.set(`${plan.by} ${channel}`, new Lineage(this.#findings, this.#ledger, log, plan));
      }
    }
    this.#line = 0;
  }

  second(line: Line): void {
    this.#line++;
    if ('event' in line) this.#follow(line.event);
  }

  verdict(): Verdict {
    for (const lineage of this.#lineages.values()) lineage.finish();
    this.#denials.finish();
    this.#checkWhole();
    return this.#findings.verdict();
  }

  #follow(event: HistoryEvent): void {
    switch (event.kind) {
      case 'publish.accepted':
        this.#accept(event.uid, event.offset);
        break;
      case 'fault':
        if (event.what === 'loss') this.#age++;
        break;
      case 'read.began':
      case 'read.joined':
      case 'read.received':
      case 'read.stands':
      case 'read.gap':
      case 'read.ended':
        this.#read(event);
        break;
      case 'deny.tried':
      case 'deny.refused':
      case 'deny.served':
      case 'deny.unknown':
        this.#checkDenied(event);
        this.#denials.take(event, this.#line);
        break;
    }
  }

  #checkDenied({ by, channel }: Extract<HistoryEvent, { readonly technique: unknown }>): void {
    const plan = this.#ledger.plans.get(by);
    if (plan?.start !== 'nowhere' || !plan.channels.includes(channel))
      this.#findings.fault(this.#line, `${by} is not one who may not do anything on ${channel}`);
  }

  #read(event: Parameters<Lineage['take']>[0]): void {
    const { by, channel } = event;
    const lineage = this.#lineages.get(`${by} ${channel}`);
    if (lineage !== undefined)
      lineage.take(event, this.#line, { taken: this.#taken(channel), age: this.#age });
    else if (this.#ledger.plans.get(by)?.start === 'nowhere')
      this.#findings.broken('permission', `${by} reads ${channel}`, this.#line);
    else this.#findings.fault(this.#line, `${by} was not to read ${channel}`);
  }

  #accept(uid: string, offset: string): void {
    const channel = this.#ledger.messages.get(uid)?.channel;
    if (channel !== undefined && offset > (this.#accepted.get(channel) ?? ''))
      this.#accepted.set(channel, offset);
  }

  /** How many messages stand at what has been accepted so far, or before it. */
  #taken(channel: string): number {
    const last = this.#accepted.get(channel);
    return last === undefined ? 0 : (this.#ledger.channels.get(channel)?.countTo(last) ?? 0);
  }

  /** Nothing is as promised where nothing was done, or nobody looked. */
  #checkWhole(): void {
    if (this.#ledger.channels.size === 0) this.#findings.fault(1, 'no channel was made');
    for (const { name, line, fence } of this.#ledger.channels.values()) {
      if (fence === undefined) this.#findings.broken('convergence', `${name} has no last message`, line);
      const readers = [...this.#ledger.plans.values()].filter(({ channels }) => channels.includes(name));
      if (!readers.some(({ start }) => start === 'made'))
        this.#findings.fault(line, `nobody reads all of ${name}`);
    }
  }
}
