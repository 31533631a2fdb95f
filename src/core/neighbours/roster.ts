import type { Member } from '../../protocol/replies.js';

/** The members of channels that are on one node. */
export class Roster {
  readonly #channels = new Map<string, Map<string, Member>>();
  #size = 0;

  /** Members, counted once for each channel. */
  get size(): number {
    return this.#size;
  }

  has(channel: string, session: string): boolean {
    return this.#channels.get(channel)?.has(session) ?? false;
  }

  /** False where it is there already. */
  add(channel: string, member: Member): boolean {
    const members = this.#channels.get(channel) ?? new Map<string, Member>();
    if (members.has(member.session)) return false;
    members.set(member.session, member);
    this.#channels.set(channel, members);
    this.#size++;
    return true;
  }

  /** False where it is not there. */
  delete(channel: string, session: string): boolean {
    const members = this.#channels.get(channel);
    if (members?.delete(session) !== true) return false;
    if (members.size === 0) this.#channels.delete(channel);
    this.#size--;
    return true;
  }

  /** All may change meanwhile: who is there from the beginning to the end is among them, who has left is not. */
  *[Symbol.iterator](): Generator<readonly [channel: string, member: Member]> {
    for (const [channel, members] of this.#channels) {
      for (const member of members.values()) yield [channel, member];
    }
  }
}
