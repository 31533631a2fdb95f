import type { Changes, Item, Order, Revoked } from '../../protocol/nodes/news.js';
import type { LeftCause } from '../../protocol/pushes.js';
import type { Member } from '../../protocol/replies.js';
import { Roster } from './roster.js';

/** What becomes of what neighbours tell. */
export interface Listener {
  /** Somebody is on one more node. */
  joinedElsewhere(channel: string, member: Member): void;
  /** Somebody is on one node less. */
  leftElsewhere(channel: string, session: string, cause: LeftCause): void;
  /** To be carried out, unless it has been. */
  obey(item: Order | Revoked): void;
}

/**
 * Another node, as far as this one has heard of it. It is *known* once it has told everything, for as long as no number is
 * missing. Where one is missing, its members stay as they were until everything was told again.
 */
export class Neighbour {
  readonly #listener: Listener;
  #members = new Roster();
  /** Where everything is being told again: what was told of it until now. */
  #draft: Roster | undefined;
  /** Of the last news. */
  #number = 0;
  #isKnown = false;
  #wasAsked = false;
  heardAtMs: number;

  constructor(listener: Listener, heardAtMs: number) {
    this.#listener = listener;
    this.heardAtMs = heardAtMs;
  }

  /** Members, counted once for each channel, and again while everything is told again. */
  get size(): number {
    return this.#members.size + (this.#draft?.size ?? 0);
  }

  /** `room` is for how many members more. */
  hear({ number, items, begins, ends }: Changes, room: number): void {
    if (number <= this.#number) return; // told twice
    if (number > this.#number + 1) this.#lose();
    this.#number = number;
    if (begins === true && !this.#isKnown) this.#draft = new Roster();
    this.#wasAsked ||= this.#draft !== undefined;
    const full = this.size + room;
    for (const item of items) this.#take(item, full);
    if (ends === true && this.#draft !== undefined) this.#adopt(this.#draft);
  }

  /** It says that it has told so many news. */
  beat(number: number): void {
    if (number <= this.#number) return;
    this.#number = number;
    this.#lose();
  }

  /** True where something is missing that was not asked for, and is now. */
  misses(): boolean {
    const misses = !this.#isKnown && !this.#wasAsked;
    this.#wasAsked = true;
    return misses;
  }

  /** What was asked for, and hasn't begun to come, is missing still. */
  tick(): void {
    this.#wasAsked = false;
  }

  /** Everybody who was there has left. */
  gone(cause: LeftCause): void {
    for (const [channel, { session }] of this.#members) this.#listener.leftElsewhere(channel, session, cause);
    this.#members = new Roster();
    this.#draft = undefined;
  }

  #lose(): void {
    if (this.#isKnown || this.#draft !== undefined) this.#wasAsked = false;
    this.#isKnown = false;
    this.#draft = undefined;
  }

  /** Orders hold whatever else is missing. */
  #take(item: Item, full: number): void {
    if (item.type === 'order' || item.type === 'revoked') this.#listener.obey(item);
    else if (this.#draft !== undefined) change(this.#draft, item, this.size < full);
    else if (this.#isKnown && change(this.#members, item, this.size < full)) {
      if (item.type === 'joined') this.#listener.joinedElsewhere(item.channel, item.member);
      else this.#listener.leftElsewhere(item.channel, item.session, item.cause);
    }
  }

  /** Why somebody left of whom it was not heard, nobody knows. */
  #adopt(draft: Roster): void {
    const before = this.#members;
    this.#members = draft;
    this.#draft = undefined;
    this.#isKnown = true;
    for (const [channel, { session }] of before)
      if (!draft.has(channel, session)) this.#listener.leftElsewhere(channel, session, 'timeout');
    for (const [channel, member] of draft)
      if (!before.has(channel, member.session)) this.#listener.joinedElsewhere(channel, member);
  }
}

/** True where it was a change. */
function change(
  members: Roster,
  item: Extract<Item, { readonly type: 'joined' | 'left' }>,
  hasRoom: boolean,
): boolean {
  if (item.type === 'left') return members.delete(item.channel, item.session);
  return hasRoom && members.add(item.channel, item.member);
}
