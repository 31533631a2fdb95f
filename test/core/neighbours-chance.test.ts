import fc from 'fast-check';
import t from 'tap';
import type { Envelope } from '../../src/protocol/pushes.js';
import type { Peer } from '../support/core.js';
import { LEASE_MS, Neighbourhood } from '../support/neighbourhood.js';

const NODES = ['a', 'b', 'c'] as const;
const CHANNELS = ['room', 'hall'] as const;
/** Times that a walk is made up; `WALKS=2000` looks for longer. */
const RUNS = Number(process.env['WALKS'] ?? 150);

type Node = (typeof NODES)[number];
type Channel = (typeof CHANNELS)[number];

type Step =
  | { readonly do: 'join'; readonly node: Node; readonly channel: Channel; readonly watches: boolean }
  | { readonly do: 'leave' | 'cut'; readonly which: number }
  | { readonly do: 'visit'; readonly node: Node; readonly channel: Channel; readonly member: number }
  | { readonly do: 'endVisit' | 'echo'; readonly at: number }
  | { readonly do: 'lose' | 'repeat'; readonly each: number }
  | { readonly do: 'cutBus' | 'hold' | 'release' | 'mend' | 'kill' | 'drain'; readonly node: Node }
  | { readonly do: 'endUser'; readonly node: Node; readonly user: number }
  | { readonly do: 'seconds'; readonly count: number };

const node = fc.constantFrom(...NODES);
const channel = fc.constantFrom(...CHANNELS);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('join'), node, channel, watches: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('leave', 'cut'), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('visit'), node, channel, member: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('lose', 'repeat'), each: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('cutBus', 'hold', 'release', 'release', 'mend', 'mend', 'kill', 'drain'),
      node,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('endVisit', 'echo'), at: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('endUser'), node, user: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('seconds'), count: fc.integer({ min: 1, max: 7 }) }) },
) as fc.Arbitrary<Step>; // each of these records is one of the steps, which fast-check's types don't keep together

/** What a watcher was told, put together as a client would. */
class Watcher {
  readonly peer: Peer;
  readonly node: string;
  readonly channel: string;

  constructor(peer: Peer, node: string, channel: string) {
    this.peer = peer;
    this.node = node;
    this.channel = channel;
  }

  /** The members, and what was told that can't be. */
  fold(): { readonly members: string[]; readonly faults: string[] } {
    const members = new Set<string>();
    const faults: string[] = [];
    for (const each of this.peer.got) {
      const fault = take(members, each);
      if (fault !== undefined) faults.push(fault);
    }
    return { members: [...members].sort(), faults };
  }
}

function take(members: Set<string>, each: Envelope): string | undefined {
  if (each.type === 'subscribed') for (const { session } of each.members ?? []) members.add(session);
  if (each.type === 'joined' && !add(members, each.member.session))
    return `joined twice: ${each.member.session}`;
  if (each.type === 'left' && !members.delete(each.member.session))
    return `left unseen: ${each.member.session}`;
  return undefined;
}

function add(members: Set<string>, session: string): boolean {
  return members.size < members.add(session).size;
}

/** Nodes to which all of a walk happens. */
class Walk {
  readonly all = new Neighbourhood(NODES);
  readonly watchers: Watcher[] = [];
  readonly peers: { readonly peer: Peer; readonly node: string; readonly channel: string }[] = [];
  readonly #visits: (() => void)[] = [];
  #starts = 0;
  #texts = 0;
  /** The present name of each of the nodes: one that starts again is another. */
  readonly #names = new Map<string, string>(NODES.map((name) => [name, name]));

  async take(step: Step): Promise<void> {
    await this.#do(step);
    await this.all.settle();
  }

  /** The bus is whole again, and enough time passes for everything to be known. */
  async end(): Promise<void> {
    const { bus } = this.all;
    bus.cut.clear();
    bus.held.clear();
    bus.copies = () => 1;
    await this.all.seconds((2 * LEASE_MS) / 1000 + 4);
  }

  /** Who is there, as the nodes that live say each of themselves. */
  present(channel: string): string[] {
    const here = new Set<string>();
    for (const rig of this.all.nodes.values())
      for (const { subscriptions, member } of rig.node.sessions)
        if (subscriptions.has(channel)) here.add(member.session);
    return [...here].sort();
  }

  #name(node: Node): string {
    return this.#names.get(node) ?? node;
  }

  async #do(step: Step): Promise<void> {
    if (step.do === 'join') await this.#join(step.node, step.channel, step.watches);
    else if ('which' in step) await this.#leave(step.which, step.do === 'cut');
    else if (step.do === 'visit') await this.#visit(step.node, `v${step.member}`, step.channel);
    else if ('at' in step) this.#again(step.at, step.do === 'echo');
    else if ('each' in step) this.#copy(step.each, step.do === 'repeat');
    else if (step.do === 'seconds') await this.all.seconds(step.count);
    else if (step.do === 'endUser') this.#orders(step.node).end({ user: `u${step.user}` });
    else await this.#trouble(step.do, step.node);
  }

  #orders(node: Node) {
    return this.all.node(this.#name(node)).node.orders;
  }

  /** Of every so many texts one is lost, or comes twice. */
  #copy(each: number, twice: boolean): void {
    this.all.bus.copies = () => (++this.#texts % (each + 1) > 0 ? 1 : twice ? 2 : 0);
  }

  /** A visit ends that was begun, or a text comes late that came before. */
  #again(at: number, isEcho: boolean): void {
    const { texts } = this.all.bus;
    if (isEcho) this.all.bus.publish('echo', texts.at(-1 - at) ?? '');
    else this.#visits.splice(at % Math.max(1, this.#visits.length), 1)[0]?.();
  }

  async #visit(node: Node, member: string, channel: string): Promise<void> {
    this.#visits.push(await this.all.visit(this.#name(node), member, channel, 2000));
  }

  async #join(node: Node, channel: string, watches: boolean): Promise<void> {
    const name = this.#name(node);
    const peer = this.all.peer(name, 'p', { user: `u${this.peers.length % 4}` });
    await peer.subscribe(channel, undefined, watches);
    this.peers.push({ peer, node: name, channel });
    if (watches) this.watchers.push(new Watcher(peer, name, channel));
  }

  async #leave(which: number, isCut: boolean): Promise<void> {
    const { peer, node, channel } = this.peers[which % Math.max(1, this.peers.length)] ?? {};
    if (peer === undefined || peer.session.ended || !this.all.nodes.has(node ?? '')) return;
    if (isCut) await peer.cut();
    else if (peer.session.subscriptions.has(channel ?? ''))
      await peer.ask({ type: 'unsubscribe', channel: channel ?? '' });
  }

  async #trouble(
    trouble: 'cutBus' | 'hold' | 'release' | 'mend' | 'kill' | 'drain',
    node: Node,
  ): Promise<void> {
    const { bus } = this.all;
    const name = this.#name(node);
    if (trouble === 'cutBus') bus.cut.add(name);
    if (trouble === 'mend') bus.cut.delete(name);
    if (trouble === 'hold') bus.held.add(name);
    if (trouble === 'release') bus.held.delete(name);
    if (trouble !== 'kill' && trouble !== 'drain') return;
    if (trouble === 'kill') this.all.kill(name);
    else await this.all.drain(name);
    this.#names.set(node, `${node}${++this.#starts}`);
    this.all.start(this.#name(node));
  }
}

t.test(
  'presence / whatever happens to nodes, members and the bus → in the end each node says the same',
  async (t) => {
    const walks = fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const walk = new Walk();
        for (const each of steps) await walk.take(each);
        await walk.end();
        for (const channel of CHANNELS) {
          const present = walk.present(channel);
          for (const name of walk.all.nodes.keys()) same(walk.all.members(name, channel), present, name);
          for (const watcher of walk.watchers.filter((each) => each.channel === channel)) {
            const { members, faults } = watcher.fold();
            same(faults, [], 'what a watcher is told');
            const isThere =
              watcher.peer.session.subscriptions.has(channel) && walk.all.nodes.has(watcher.node);
            if (isThere) same(members, present, 'the members that a watcher knows of');
          }
        }
        for (const { logged } of walk.all.nodes.values()) same(logged, [], 'faults');
      }),
      { numRuns: RUNS },
    );
    await t.resolves(walks);
  },
);

function same(found: readonly unknown[], wanted: readonly unknown[], what: string): void {
  const [left, right] = [found, wanted].map((each) => JSON.stringify(each));
  if (left !== right) throw new Error(`${what}: ${left} instead of ${right}`);
}
