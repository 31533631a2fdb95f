import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { Link } from '../../store/shared/send-queue.js';
import type { TlsOptions } from '../http/tls.js';

/** What a worker needs to know beside the settings. */
export interface Begin {
  /** Of the server. */
  readonly port: number;
  readonly tls: TlsOptions | undefined;
  /** Of all workers, this one's share. */
  readonly reconnectsPerSecond: number;
  /** True once in the life of the server. */
  readonly isFirst: boolean;
}

/** As `registry.getMetricsAsJSON()` gives it. */
export type MetricValues = MetricObjectWithValues<MetricValue<string>>;

/** What a worker says to the primary process. */
export interface OfWorker {
  readonly hello: undefined;
  /** It listens, at this address. */
  readonly ready: string;
  readonly store: readonly unknown[];
  readonly bus: readonly string[];
  /** Asks for the metrics of all, by a number of its own. */
  readonly scrape: number;
  readonly metrics: readonly MetricValues[];
  /** An error that nobody caught ends it, and nobody's order. */
  readonly crash: undefined;
}

/** What the primary process says to a worker. */
export interface OfPrimary {
  readonly begin: Begin;
  readonly certificate: TlsOptions;
  readonly end: { readonly isCrash: boolean };
  readonly store: readonly unknown[];
  readonly bus: readonly string[];
  /** Asks for its metrics. */
  readonly count: undefined;
  readonly scraped: { readonly id: number; readonly text: string };
}

/** Of a process at the other end of a channel of Node's, what is needed. */
export interface Peer {
  send(message: unknown, sent: () => void): void;
  listen(hear: (message: unknown) => void): void;
}

/** Among what others may send over the same channel, what is ours. */
const OURS = 'earshot';

/** Between the primary process and a worker: things are said by topic, whole and in order. */
export class Line<Out, In> {
  readonly #peer: Peer;
  readonly #hears = new Map<unknown, (said: never) => void>();

  constructor(peer: Peer) {
    this.#peer = peer;
    peer.listen((message) => this.#hear(message));
  }

  /** `sent` is called later, when it has left this process, and also where the other one is gone. */
  tell<Topic extends keyof Out>(topic: Topic, said: Out[Topic], sent: () => void = () => {}): void {
    this.#peer.send([OURS, topic, said], sent);
  }

  hear<Topic extends keyof In>(topic: Topic, listener: (said: In[Topic]) => void): void {
    this.#hears.set(topic, listener);
  }

  #hear(message: unknown): void {
    if (!Array.isArray(message) || message[0] !== OURS) return;
    const [, topic, said] = message;
    this.#hears.get(topic)?.(said as never); // one of ours has sent it, under its topic
  }
}

type Lists<Says> = { readonly [Topic in keyof Says]: Says[Topic] extends readonly unknown[] ? Topic : never };

/** One topic of a line, for what is sent in lists. */
export function linkOf<Out, In>(
  line: Line<Out, In>,
  topic: Lists<Out>[keyof Out] & Lists<In>[keyof In],
): Link {
  return {
    send: (items, sent) => line.tell(topic, items as Out[typeof topic], sent),
    listen: (hear) => line.hear(topic, (items) => hear(items as readonly unknown[])),
  };
}
