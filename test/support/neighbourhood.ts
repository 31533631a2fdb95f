import type { Bus } from '../../src/core/neighbours/bus.js';
import type { Identity } from '../../src/core/policy/policy.js';
import { jsonEncoding } from '../../src/transport/websocket/encodings.js';
import type { RigOptions } from './core.js';
import { identityOf, Peer, promises, Rig } from './core.js';
import { FakeCarrier } from './fake-carrier.js';

export const LEASE_MS = 5000;
/** Rounds of texts and turns of nodes; what is not quiet by then never will be. */
const MAX_ROUNDS = 1000;

/** A bus that is as bad as it is told to be. What is published arrives when `deliver` is called. */
export class TestBus {
  /** Everything that was published, by whoever. */
  readonly texts: string[] = [];
  /** Names of nodes that nothing comes from or gets to: it is lost. */
  readonly cut = new Set<string>();
  /** Names of nodes that nothing gets to for now: it waits. */
  readonly held = new Set<string>();
  /** How often a text arrives that is published now: 0 where it is lost. */
  copies: () => number = () => 1;
  readonly #hears = new Map<string, (text: string) => void>();
  readonly #waiting = new Map<string, string[]>();

  /** The bus, as the node of this name sees it. */
  of(name: string): Bus {
    return {
      publish: (text) => this.publish(name, text),
      listen: (hear) => {
        this.#hears.set(name, hear);
        this.#waiting.set(name, []);
        return () => this.forget(name);
      },
    };
  }

  publish(from: string, text: string): void {
    this.texts.push(text);
    if (this.cut.has(from)) return;
    for (const [name, texts] of this.#waiting) {
      if (name === from || this.cut.has(name)) continue;
      for (let copies = this.copies(); copies > 0; copies--) texts.push(text);
    }
  }

  /** Nothing gets there any more. */
  forget(name: string): void {
    this.#hears.delete(name);
    this.#waiting.delete(name);
  }

  /** What waits arrives. False where there was nothing. */
  deliver(): boolean {
    let any = false;
    for (const [name, texts] of this.#waiting) {
      if (this.held.has(name) || texts.length === 0) continue;
      this.#waiting.set(name, []);
      any = true;
      for (const text of texts) this.#hears.get(name)?.(text);
    }
    return any;
  }
}

/** Several nodes that hear each other by one bus, each with a clock of its own. */
export class Neighbourhood {
  readonly bus = new TestBus();
  readonly nodes = new Map<string, Rig>();
  readonly #peers = new Map<Rig, Peer[]>();
  readonly #options: RigOptions;

  constructor(names: readonly string[], options: RigOptions = {}) {
    this.#options = options;
    for (const name of names) this.start(name);
  }

  start(name: string): Rig {
    const neighbours = { bus: this.bus.of(name), leaseMs: LEASE_MS };
    const rig = new Rig({ ...this.#options, idPrefix: `${name}.`, neighbours });
    this.nodes.set(name, rig);
    return rig;
  }

  /** As with `kill -9`: nothing is said, and nothing runs any more. */
  kill(name: string): void {
    this.bus.forget(name);
    this.nodes.delete(name);
  }

  /** In order, as `Earshot.drain` does it. */
  async drain(name: string): Promise<void> {
    const { node } = this.node(name);
    for (const session of node.sessions.all())
      session.end({ close: 'drain', code: 'draining', cause: 'drain' });
    node.neighbours?.leave();
    await this.settle();
    this.kill(name);
  }

  node(name: string): Rig {
    const rig = this.nodes.get(name);
    if (rig === undefined) throw new Error(`there is no node ${name}`);
    return rig;
  }

  peer(name: string, as = 'ann', identity: Partial<Identity> = {}): Peer {
    const rig = this.node(name);
    const peer = rig.peer(as, identity);
    this.#peers.set(rig, [...(this.#peers.get(rig) ?? []), peer]);
    return peer;
  }

  /** One request of a client that stays a member for a while after each. What is returned ends it. */
  async visit(name: string, member: string, channel: string, leaseMs: number): Promise<() => void> {
    const rig = this.node(name);
    const carrier = new FakeCarrier(jsonEncoding);
    const session = rig.node.begin(identityOf(member), carrier, '192.0.2.3', { member, leaseMs });
    const peer = new Peer(rig, session, carrier);
    this.#peers.set(rig, [...(this.#peers.get(rig) ?? []), peer]);
    await peer.subscribe(channel);
    return () => session.gone('closed');
  }

  /** Until nothing is said and nothing waits, but for what is held. */
  async settle(): Promise<void> {
    for (let rounds = 0; rounds < MAX_ROUNDS; rounds++) {
      for (const rig of this.nodes.values()) await rig.settle();
      if (!this.bus.deliver()) return;
      await promises();
    }
    throw new Error('the nodes do not come to rest');
  }

  async seconds(count: number): Promise<void> {
    for (let second = 0; second < count; second++) {
      for (const rig of this.nodes.values()) {
        rig.seconds(1, () => {
          for (const { carrier } of this.#peers.get(rig) ?? []) carrier.receivedBytes++; // it lives
        });
      }
      await this.settle();
    }
  }

  /** The sessions that a node says are in a channel, sorted. */
  members(name: string, channel: string): string[] {
    const { members, count } = this.node(name).node.presence.list(channel);
    if (count !== members.length) throw new Error('counted otherwise than listed');
    return members.map(({ session }) => session).sort();
  }
}
