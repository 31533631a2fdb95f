import type { Joined, Left, LeftCause } from '../../protocol/pushes.js';
import type { Member } from '../../protocol/replies.js';
import { EncodeOnce } from '../carrier.js';
import { MAX_MEMBERS_LISTED } from '../limits.js';
import type { Subscription } from './subscription.js';

const MAX_TOLD_OF_DRAIN = 200;

interface Room {
  /** By session. */
  readonly members: Map<string, Member>;
  /** Who is told of joined and left. */
  readonly watchers: Set<Subscription>;
}

/** Who is in a channel: every session that is subscribed to it. Told to those that asked for presence. */
export class Presence {
  readonly #rooms = new Map<string, Room>();

  join(subscription: Subscription): void {
    const { channel, session } = subscription;
    const room = this.#rooms.get(channel) ?? { members: new Map(), watchers: new Set() };
    this.#rooms.set(channel, room);
    room.members.set(session.id, session.member);
    this.#tell(room, { type: 'joined', channel, member: session.member });
    if (subscription.presence) room.watchers.add(subscription);
  }

  leave(subscription: Subscription, cause: LeftCause): void {
    const { channel, session } = subscription;
    const room = this.#rooms.get(channel);
    if (room === undefined) return;
    room.watchers.delete(subscription);
    room.members.delete(session.id);
    if (room.members.size === 0) this.#rooms.delete(channel);
    // Where everybody ends, everybody telling everybody else would take longer than the drain.
    else if (cause !== 'drain' || room.members.size < MAX_TOLD_OF_DRAIN)
      this.#tell(room, { type: 'left', channel, member: session.member, cause });
  }

  list(channel: string): { members: Member[]; count: number } {
    const room = this.#rooms.get(channel);
    if (room === undefined) return { members: [], count: 0 };
    const members: Member[] = [];
    for (const member of room.members.values()) {
      if (members.length === MAX_MEMBERS_LISTED) break;
      members.push(member);
    }
    return { members, count: room.members.size };
  }

  #tell(room: Room, push: Joined | Left): void {
    const printed = new EncodeOnce((encoding) => encoding.push(push));
    for (const watcher of room.watchers) {
      const bytes = printed.for(watcher.session.carrier.encoding);
      if (!watcher.session.hasRoom || watcher.missed !== undefined) noteMissed(watcher, push);
      else if (bytes !== undefined) watcher.session.write(bytes);
    }
  }
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
