import type { News } from '../../protocol/nodes/news.js';
import { decodeNews } from '../../protocol/nodes/news.js';
import type { LeftCause } from '../../protocol/pushes.js';
import type { Journal } from '../telemetry.js';
import type { NeighbourParts } from './bus.js';
import type { Listener } from './neighbour.js';
import { Neighbour } from './neighbour.js';
import type { Outbox } from './outbox.js';

/** Nodes that are heard of at once, and members on all of them, counted once for each channel. */
const MAX_NEIGHBOURS = 256;
const MAX_MEMBERS_ELSEWHERE = 1_000_000;
/** A little less than a second. */
const EVERY_MS = 900;

export interface NeighboursParts extends NeighbourParts {
  readonly outbox: Outbox;
  readonly listener: Listener;
  readonly journal: Journal;
  /** ms that only ever grow, with fractions. */
  readonly uptimeMs: () => number;
}

/** The other nodes of the same service: who is there, and what they have told. */
export class Neighbours {
  readonly #parts: NeighboursParts;
  readonly #nodes = new Map<string, Neighbour>();
  #tickedAtMs: number;
  #unlisten: (() => void) | undefined;

  constructor(parts: NeighboursParts) {
    this.#parts = parts;
    this.#tickedAtMs = parts.uptimeMs();
  }

  /** How many are heard of. */
  get count(): number {
    return this.#nodes.size;
  }

  /** Hears of the others from now on, and asks all of them for what they have to tell. */
  meet(): void {
    this.#unlisten ??= this.#parts.bus.listen((text) => this.#hear(text));
    this.#parts.outbox.ask();
  }

  /** To be called every second or more often: who is silent for too long is gone, who isn't known is asked. */
  tick(): void {
    const { outbox, bus, leaseMs, uptimeMs } = this.#parts;
    const now = uptimeMs();
    const sinceMs = now - this.#tickedAtMs;
    if (sinceMs < EVERY_MS) return;
    this.#tickedAtMs = now;
    for (const [id, node] of this.#nodes) {
      // held up, or deaf: what they have said meanwhile may be waiting, or is lost
      if (sinceMs > leaseMs / 2 || bus.isThere === false) node.heardAtMs = now;
      if (now - node.heardAtMs > leaseMs) this.#remove(id, node, 'timeout');
      else if (node.misses()) outbox.ask(id);
      node.tick();
    }
    outbox.beat();
  }

  /** This node ends: the others are told so, and not heard of any more. */
  leave(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#parts.outbox.close();
    for (const [id, node] of this.#nodes) this.#remove(id, node, 'drain');
  }

  /** Nothing that comes from a bus makes it fail. */
  #hear(text: string): void {
    const { outbox, journal } = this.#parts;
    try {
      const news = decodeNews(text);
      if (news === undefined) journal.refused('bus: no news of a node', {});
      else if (news.node !== outbox.node) this.#take(news);
    } catch (error) {
      journal.error(error, {});
    }
  }

  #take(news: News): void {
    const { outbox } = this.#parts;
    const found = this.#nodes.get(news.node);
    if (news.type === 'bye') {
      if (found !== undefined) this.#remove(news.node, found, 'drain');
      return;
    }
    const from = found ?? this.#add(news.node);
    if (from === undefined) return;
    from.heardAtMs = this.#parts.uptimeMs();
    if (news.type === 'changes') from.hear(news, this.#room());
    else if (news.type === 'beat') from.beat(news.number);
    else if (news.of === undefined || news.of === outbox.node) outbox.asked();
    if (from.misses()) outbox.ask(news.node);
  }

  #add(id: string): Neighbour | undefined {
    const { journal, listener, uptimeMs } = this.#parts;
    if (this.#nodes.size >= MAX_NEIGHBOURS) {
      journal.refused('bus: more nodes than are heard of', {});
      return undefined;
    }
    const node = new Neighbour(listener, uptimeMs());
    this.#nodes.set(id, node);
    return node;
  }

  #remove(id: string, node: Neighbour, cause: LeftCause): void {
    this.#nodes.delete(id);
    node.gone(cause);
  }

  /** For members, until there are as many as are heard of. */
  #room(): number {
    let members = 0;
    for (const { size } of this.#nodes.values()) members += size;
    return Math.max(0, MAX_MEMBERS_ELSEWHERE - members);
  }
}
