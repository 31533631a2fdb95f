import type { Session } from './session.js';

/** The sessions of this node. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #addresses = new Map<string, number>();

  get size(): number {
    return this.#sessions.size;
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#addresses.set(session.address, this.from(session.address) + 1);
    session.telemetry.sessionBegan(session.carrier.transport);
  }

  delete(session: Session): void {
    if (!this.#sessions.delete(session.id)) return;
    const left = this.from(session.address) - 1;
    if (left > 0) this.#addresses.set(session.address, left);
    else this.#addresses.delete(session.address);
    session.telemetry.sessionEnded(session.carrier);
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** How many come from one address. */
  from(address: string): number {
    return this.#addresses.get(address) ?? 0;
  }

  /** A list of its own: sessions may end while one goes through it. */
  all(): Session[] {
    return [...this.#sessions.values()];
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }
}
