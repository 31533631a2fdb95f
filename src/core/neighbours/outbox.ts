import type { Item, Sign } from '../../protocol/nodes/news.js';
import { encodeChanges, encodeItem, encodeSign } from '../../protocol/nodes/news.js';
import type { LeftCause } from '../../protocol/pushes.js';
import type { Member } from '../../protocol/replies.js';
import type { Journal } from '../telemetry.js';
import type { Bus } from './bus.js';
import { Roster } from './roster.js';

/** Of one text, about; an item has a few hundred. */
const MAX_CHARS = 64 * 1024;
const MAX_ITEMS = 500;
/** After everything was told again, nobody is told everything for so many times as long as that took. */
const REST = 9;

export interface OutboxParts {
  readonly bus: Bus;
  /** The id of this node: another at every start. */
  readonly node: string;
  readonly journal: Journal;
  /** ms that only ever grow, with fractions. */
  readonly uptimeMs: () => number;
  /** Runs at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void;
  /** Runs after so many ms. */
  readonly later: (run: () => void, ms: number) => void;
  /** What is told besides the members, where everything is told again. */
  readonly held: () => Iterable<Item>;
}

/**
 * What this node tells its neighbours. What changes within one turn of the event loop is one text, and every text has the next
 * number. Everything is told again in pieces, a turn each, which are numbered among the changes: who has heard all from
 * the first piece to the last knows all that there is.
 */
export class Outbox {
  /** The id of this node. */
  readonly node: string;
  readonly #parts: OutboxParts;
  /** Who is here, as it was told. */
  readonly #members = new Roster();
  #number = 0;
  #pending: string[] = [];
  #pendingChars = 0;
  /** What is still to be told again. */
  #rest: Iterator<Item> | undefined;
  #beganAtMs = 0;
  #isResting = false;
  /** Somebody has asked who gets nothing of what is being told. */
  #askedAgain = false;
  #closed = false;

  constructor(parts: OutboxParts) {
    this.node = parts.node;
    this.#parts = parts;
  }

  joined(channel: string, member: Member): void {
    if (this.tell({ type: 'joined', channel, member })) this.#members.add(channel, member);
  }

  left(channel: string, session: string, cause: LeftCause): void {
    if (this.#members.delete(channel, session)) this.tell({ type: 'left', channel, session, cause });
  }

  /** False where it is nothing that neighbours take. */
  tell(item: Item): boolean {
    if (this.#closed) return false;
    const text = encodeItem(item);
    if (text === undefined) {
      this.#parts.journal.refused(`${item.type}: too large for other nodes`, {});
      return false;
    }
    if (this.#pending.push(text) === 1) this.#parts.defer(() => this.#flush());
    this.#pendingChars += text.length;
    if (this.#pendingChars >= MAX_CHARS || this.#pending.length >= MAX_ITEMS) this.#flush();
    return true;
  }

  ask(of?: string): void {
    this.#say({ type: 'ask', ...(of !== undefined && { of }) });
  }

  /** Somebody wants to hear everything: now, or soon where it was told just now. */
  asked(): void {
    this.#askedAgain = true;
    this.#answer();
  }

  /** To be called about every second. */
  beat(): void {
    this.#say({ type: 'beat', number: this.#number });
  }

  #answer(): void {
    if (!this.#askedAgain || this.#isResting || this.#rest !== undefined) return;
    this.#askedAgain = false;
    this.#beganAtMs = this.#parts.uptimeMs();
    this.#rest = this.#everything();
    this.#parts.defer(() => this.#piece(true));
  }

  /** Telling takes a tenth of the time at most, however many ask. */
  #pause(): void {
    this.#rest = undefined;
    this.#isResting = true;
    this.#parts.later(
      () => {
        this.#isResting = false;
        this.#answer();
      },
      REST * (this.#parts.uptimeMs() - this.#beganAtMs),
    );
  }

  /** The last that is heard of this node. */
  close(): void {
    this.#flush();
    this.#say({ type: 'bye' });
    this.#closed = true;
  }

  #flush(): void {
    const items = this.#pending;
    if (items.length === 0) return;
    this.#pending = [];
    this.#pendingChars = 0;
    this.#publish(items, {});
  }

  *#everything(): Generator<Item> {
    yield* this.#parts.held();
    for (const [channel, member] of this.#members) yield { type: 'joined', channel, member };
  }

  /** Who it names is here; that they came, or that they leave, may be told after it. */
  #piece(isFirst: boolean): void {
    if (this.#rest === undefined || this.#closed) return;
    const items: string[] = [];
    let [chars, isLast] = [0, false];
    while (!isLast && chars < MAX_CHARS && items.length < MAX_ITEMS) {
      const { value, done } = this.#rest.next();
      isLast = done === true;
      const text = isLast ? undefined : encodeItem(value);
      if (text === undefined) continue;
      items.push(text);
      chars += text.length;
    }
    if (isLast) this.#pause();
    else this.#parts.defer(() => this.#piece(false));
    this.#publish(items, { ...(isFirst && { begins: true }), ...(isLast && { ends: true }) });
  }

  #publish(items: readonly string[], marks: { readonly begins?: true; readonly ends?: true }): void {
    this.#number++;
    this.#send(encodeChanges(this.node, { number: this.#number, ...marks }, items));
  }

  #say(sign: Sign): void {
    if (!this.#closed) this.#send(encodeSign(this.node, sign));
  }

  /** A bus that throws nevertheless does not end the process. */
  #send(text: string): void {
    try {
      this.#parts.bus.publish(text);
    } catch (error) {
      this.#parts.journal.error(error, {});
    }
  }
}
