/**
 * Where the nodes of one service hear each other: the presence of their members, and orders. What is kept goes
 * through the store and not through here.
 *
 * Promised to a node by a bus: what another node publishes arrives as it was, at most a few times, and what comes from
 * one node comes in the order in which that node published it. Not promised, and not needed: that everything arrives
 * (it may be lost, as with Redis' pub/sub; a node notices, and asks), an order between nodes, an answer, or that a node
 * doesn't hear itself (it ignores what is its own).
 *
 * Texts are JSON of 256 KiB at most, and mean something to nodes of the same version only. A bus carries them between
 * trusted processes: whoever can publish to it can end every session. What comes from it is checked all the same.
 */
export interface Bus {
  /** To every other node. Never throws, never waits; what can't be sent is lost. */
  publish(text: string): void;
  /** Hears what is published, from now on. `hear` never throws. What is returned ends it, and may be called again. */
  listen(hear: (text: string) => void): () => void;
  /** False while nothing can be heard: who is silent then is not taken for gone. Default: true. */
  readonly isThere?: boolean;
}

/** What a node needs to have neighbours. */
export interface NeighbourParts {
  readonly bus: Bus;
  /** For how long a node may be silent, in ms, before its members count as gone. */
  readonly leaseMs: number;
}
