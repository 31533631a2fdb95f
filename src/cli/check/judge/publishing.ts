import type { EventOf } from '../history/events.js';
import type { Findings } from './findings.js';
import type { ChannelLog, Message } from './messages.js';

type Invoked = EventOf<'publish.invoked'>;
type Outcome = EventOf<'publish.accepted' | 'publish.refused' | 'publish.unknown'>;

/** Who publishes the last message of every channel. */
export const FENCE = 'fence';

/** What was sent, and how it was answered. */
export class Publishing {
  readonly messages = new Map<string, Message>();
  readonly #findings: Findings;
  readonly #channels: ReadonlyMap<string, ChannelLog>;
  /** The last numbers of each producer on each channel. */
  readonly #producers = new Map<string, { readonly epoch: number; readonly seq: number }>();
  run = '';
  /** How often the log was lost so far. */
  age = 0;

  constructor(findings: Findings, channels: ReadonlyMap<string, ChannelLog>) {
    this.#findings = findings;
    this.#channels = channels;
  }

  invoked(event: Invoked, line: number): void {
    const { uid, by, channel, how } = event;
    const log = this.#channels.get(channel);
    if (log === undefined) this.#findings.fault(line, `${channel} was not made`);
    if (!uid.startsWith(`${this.run}.${by}.`))
      this.#findings.fault(line, `${uid} is not of ${by} in this run`);
    const message = this.messages.get(uid) ?? this.#first(event, log, line);
    if (message.tries.open !== undefined) this.#findings.fault(line, `${uid} is sent before it is answered`);
    message.tries.open = how;
    message.tries.sent++;
    if (message.line === line) return;
    if (
      message.channel !== channel ||
      message.hash !== event.hash ||
      !isSame(message.producer, event.producer)
    )
      this.#findings.fault(line, `${uid} is sent again as something else`);
    const isRepeat = message.tries.accepted + message.tries.unknown > 0;
    if (isRepeat && event.producer === undefined)
      this.#findings.fault(line, `${uid} is sent again without a producer`);
  }

  answered(event: Outcome, line: number): void {
    const { uid, by, how, channel, hash } = event;
    const message = this.messages.get(uid);
    const isAsked = message?.by === by && message.tries.open === how;
    if (!isAsked || message.channel !== channel || message.hash !== hash) {
      this.#findings.fault(line, `${uid} is answered, and was not sent so`);
      return;
    }
    message.tries.open = undefined;
    if (event.kind === 'publish.refused') message.tries.refused++;
    else if (event.kind === 'publish.unknown') message.tries.unknown++;
    else {
      const log = this.#channels.get(channel);
      const age = log?.hear(event.offset, this.age).age ?? this.age;
      this.#accepted(this.in(age, uid, line) ?? message, event, line);
      if (log !== undefined && (log.lastAccepted ?? '') < event.offset) log.lastAccepted = event.offset;
    }
  }

  /** A message in the log of an age; undefined where it was never sent. */
  in(age: number, uid: string, line: number): Message | undefined {
    const message = this.messages.get(uid);
    const copy = message?.copies.find((each) => (each.age ?? age) === age);
    if (message === undefined || copy !== undefined) {
      if (copy !== undefined) copy.age = age;
      return copy;
    }
    const { copies, tries, line: sent } = message;
    if (copies.length >= tries.sent)
      this.#findings.broken(
        'once',
        `${uid} is stored again after a loss, and was not sent again`,
        sent,
        line,
      );
    return copyOf(message, age);
  }

  /** Every message was answered, or given up. */
  finish(line: number): void {
    for (const { uid, tries } of this.messages.values()) {
      if (tries.open !== undefined) this.#findings.fault(line, `nothing is said of what became of ${uid}`);
    }
  }

  #first({ uid, by, channel, hash, producer }: Invoked, log: ChannelLog | undefined, line: number): Message {
    const tries = { open: undefined, sent: 0, accepted: 0, refused: 0, unknown: 0 };
    const [after, sentIn] = [log?.lastAccepted, this.age];
    const about = { uid, by, channel, hash, producer, line, sentIn, after, tries };
    const message: Message = { ...about, ...UNHEARD, copies: [] };
    message.copies.push(message);
    this.messages.set(uid, message);
    if (log !== undefined && by === FENCE) log.fence = message;
    if (producer !== undefined) this.#follows(producer, `${by} ${channel}`, line);
    return message;
  }

  /** A producer numbers its messages without a hole: else it is no wonder that one is refused. */
  #follows(producer: NonNullable<Invoked['producer']>, who: string, line: number): void {
    const before = this.#producers.get(who);
    const { epoch, seq } = before ?? { epoch: 0, seq: -1 };
    const isNextEpoch = before !== undefined && producer.epoch === epoch + 1 && producer.seq === 0;
    const isNext = isNextEpoch || (producer.epoch === epoch && producer.seq === seq + 1);
    if (!isNext) this.#findings.fault(line, `${who} numbers ${producer.epoch}:${producer.seq} out of turn`);
    this.#producers.set(who, producer);
  }

  #accepted(message: Message, { offset, duplicate }: EventOf<'publish.accepted'>, line: number): void {
    const { tries, uid, acceptedLine } = message;
    const isRepeat = tries.accepted + tries.unknown > 0;
    if (isRepeat) this.#findings.checked('once');
    if ((duplicate === null) !== (tries.accepted === 0 && tries.unknown > 0))
      this.#findings.fault(
        line,
        `whether ${uid} is a repeat can be said where every try was answered, and only there`,
      );
    if (duplicate === false && acceptedLine !== undefined)
      this.#findings.broken(
        'once',
        `${uid} was accepted before, and is accepted as a new one`,
        acceptedLine,
        line,
      );
    if (duplicate === true && acceptedLine === undefined)
      this.#findings.broken(
        'once',
        `${uid} is called a repeat, and nothing of it was stored before`,
        message.line,
        line,
      );
    if (acceptedLine !== undefined && message.offset !== offset)
      this.#findings.broken(
        'once',
        `${uid} was accepted at ${message.offset}, and then at ${offset}`,
        acceptedLine,
        line,
      );
    if (acceptedLine === undefined && message.offset !== undefined && message.offset !== offset)
      this.#findings.broken(
        'order',
        `${uid} is accepted at ${offset}, and came at ${message.offset}`,
        message.deliveredLine,
        line,
      );
    tries.accepted++;
    message.acceptedLine ??= line;
    message.offset ??= offset;
  }
}

/** What is to be heard of a message in a log. */
const UNHEARD = { rank: -1, askedLine: -1, isInLog: false, toldGone: 'nobody' } as const;

function copyOf({ copies, ...message }: Message, age: number): Message {
  const { uid, by, channel, hash, producer, line, sentIn, after, tries } = message;
  const copy: Message = {
    ...{ uid, by, channel, hash, producer, line, sentIn, after, tries, copies },
    ...{ ...UNHEARD, age },
  };
  copies.push(copy);
  return copy;
}

function isSame(a: Invoked['producer'], b: Invoked['producer']): boolean {
  return a?.epoch === b?.epoch && a?.seq === b?.seq;
}
