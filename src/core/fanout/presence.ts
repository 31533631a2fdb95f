import type { Joined, Left, LeftCause } from '../../protocol/pushes.js';
import type { Member } from '../../protocol/replies.js';
import { EncodeOnce } from '../carrier.js';
import { MAX_MEMBERS_LISTED } from '../limits.js';
import type { Subscription } from './subscription.js';

const MAX_TOLD_OF_DRAIN = 200;
/** Clients of requests that may be away at once, one for each channel; of more, who is away longest has left. */
const MAX_LEASED = 10_000;

/**
 * Somebody who is there. Here: by a subscription, by several of one client, or for a while after the last of them.
 * Elsewhere: on so many other nodes.
 */
interface Entry {
  readonly member: Member;
  subscriptions: number;
  /** Where there is none left: until when it stays, in ms of uptime. */
  leaseUntil: number;
  elsewhere: number;
}

interface Room {
  /** By session. */
  readonly members: Map<string, Entry>;
  /** Who is told of joined and left. */
  readonly watchers: Set<Subscription>;
}

/** Hears who comes to this node and leaves it. */
export interface Neighbourhood {
  joined(channel: string, member: Member): void;
  left(channel: string, session: string, cause: LeftCause): void;
}

/**
 * Who is in a channel: every session that is subscribed to it, on whatever node. Told to those here that asked for
 * presence: the first node that somebody comes to is told of, and the last that they leave.
 */
export class Presence {
  readonly #rooms = new Map<string, Room>();
  /** Those that stay for a while, with where they are. */
  readonly #leased = new Map<Entry, string>();
  readonly #uptimeMs: () => number;
  readonly #neighbourhood: Neighbourhood | undefined;
  /** This node ends, and everybody who is here with it. */
  #drains = false;

  constructor(uptimeMs: () => number, neighbourhood?: Neighbourhood) {
    this.#uptimeMs = uptimeMs;
    this.#neighbourhood = neighbourhood;
  }

  join(subscription: Subscription): void {
    const { channel, session } = subscription;
    const room = this.#roomOf(channel);
    const entry = this.#enter(room, channel, session.member);
    if (this.#neighbourhood !== undefined && !this.#isHere(entry))
      this.#neighbourhood.joined(channel, entry.member);
    entry.subscriptions++;
    this.#leased.delete(entry);
    if (subscription.presence) room.watchers.add(subscription);
  }

  leave(subscription: Subscription, cause: LeftCause): void {
    const { channel, session } = subscription;
    const room = this.#rooms.get(channel);
    const entry = room?.members.get(session.member.session);
    if (room === undefined || entry === undefined) return;
    room.watchers.delete(subscription);
    entry.subscriptions--;
    if (entry.subscriptions > 0) return;
    const leaseMs = comesBack(cause) ? (session.visit?.leaseMs ?? 0) : 0;
    if (leaseMs === 0) this.#remove(room, channel, entry, cause);
    else {
      entry.leaseUntil = this.#uptimeMs() + leaseMs;
      this.#leased.set(entry, channel);
      this.#makeRoom();
    }
  }

  /** Those that didn't come back in time leave. */
  expire(): void {
    const now = this.#uptimeMs();
    for (const [entry, channel] of this.#leased) {
      const room = this.#rooms.get(channel);
      if (room !== undefined && entry.leaseUntil <= now) this.#remove(room, channel, entry, 'timeout');
    }
  }

  joinedElsewhere(channel: string, member: Member): void {
    this.#enter(this.#roomOf(channel), channel, member).elsewhere++;
  }

  leftElsewhere(channel: string, session: string, cause: LeftCause): void {
    const room = this.#rooms.get(channel);
    const entry = room?.members.get(session);
    if (room === undefined || entry === undefined || entry.elsewhere === 0) return;
    entry.elsewhere--;
    if (entry.elsewhere === 0 && !this.#isHere(entry)) this.#forget(room, channel, entry, cause);
  }

  #makeRoom(): void {
    const [oldest] = this.#leased;
    if (this.#leased.size <= MAX_LEASED || oldest === undefined) return;
    const [entry, channel] = oldest;
    const room = this.#rooms.get(channel);
    if (room === undefined) throw new Error('somebody is away from a room that is not there');
    this.#remove(room, channel, entry, 'timeout');
  }

  list(channel: string): { members: Member[]; count: number } {
    const room = this.#rooms.get(channel);
    if (room === undefined) return { members: [], count: 0 };
    const members: Member[] = [];
    for (const { member } of room.members.values()) {
      if (members.length === MAX_MEMBERS_LISTED) break;
      members.push(member);
    }
    return { members, count: room.members.size };
  }

  #roomOf(channel: string): Room {
    const found = this.#rooms.get(channel);
    if (found !== undefined) return found;
    const room: Room = { members: new Map(), watchers: new Set() };
    this.#rooms.set(channel, room);
    return room;
  }

  #isHere(entry: Entry): boolean {
    return entry.subscriptions > 0 || this.#leased.has(entry);
  }

  #enter(room: Room, channel: string, member: Member): Entry {
    const found = room.members.get(member.session);
    if (found !== undefined) return found;
    const entry = { member, subscriptions: 0, leaseUntil: 0, elsewhere: 0 };
    room.members.set(member.session, entry);
    this.#tell(room, { type: 'joined', channel, member });
    return entry;
  }

  /** From this node. */
  #remove(room: Room, channel: string, entry: Entry, cause: LeftCause): void {
    this.#leased.delete(entry);
    this.#drains ||= cause === 'drain';
    this.#neighbourhood?.left(channel, entry.member.session, cause);
    if (entry.elsewhere === 0) this.#forget(room, channel, entry, cause);
  }

  /** From the last node. */
  #forget(room: Room, channel: string, entry: Entry, cause: LeftCause): void {
    const { member } = entry;
    room.members.delete(member.session);
    if (room.members.size === 0) this.#rooms.delete(channel);
    // Where everybody ends, everybody telling everybody else would take longer than the drain.
    else if (cause !== 'drain' || !this.#drains || room.members.size < MAX_TOLD_OF_DRAIN)
      this.#tell(room, { type: 'left', channel, member, cause });
  }

  #tell(room: Room, push: Joined | Left): void {
    const printed = new EncodeOnce((encoding) => encoding.push(push));
    for (const watcher of room.watchers) {
      const once = printed.for(watcher.session.carrier.encoding);
      if (!watcher.session.hasRoom || watcher.missed !== undefined) noteMissed(watcher, push);
      else if (once !== undefined) watcher.session.write(once);
    }
  }
}

/** A client of requests that were answered, or cut, asks again; one that was ended does not. */
function comesBack(cause: LeftCause): boolean {
  return cause === 'unsubscribed' || cause === 'closed';
}

/** Tells what was missed while there was no room. */
export function tellMissed(subscription: Subscription): void {
  const missed = subscription.missed;
  if (missed === undefined) return;
  subscription.missed = undefined;
  for (const push of missed.values()) subscription.session.push(push);
}

/** Joined and then left, or left and then joined, is nothing to tell: what is kept is bounded by the members. */
function noteMissed(subscription: Subscription, push: Joined | Left): void {
  subscription.missed ??= new Map();
  const { missed } = subscription;
  const before = missed.get(push.member.session);
  if (before !== undefined && before.type !== push.type) missed.delete(push.member.session);
  else missed.set(push.member.session, push);
}
