import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { EarshotNode } from '../core/node.js';
import type { Identity } from '../core/policy/policy.js';
import { request } from '../core/session/request.js';
import type { Session } from '../core/session/session.js';
import type { LogError } from '../core/telemetry.js';
import { CHANNEL_RULE, isChannel } from '../protocol/channel.js';
import { Refused } from '../protocol/refused.js';
import { MemoryStore } from '../store/memory.js';
import type { Appended, Store } from '../store/store.js';
import { Admission } from './admission/admission.js';
import { tokenChecker } from './admission/tokens.js';
import { drainSessions } from './drain.js';
import { WebSocketEndpoint } from './endpoint.js';
import { EventLoopMonitor } from './event-loop.js';
import { takeUpgrades } from './http/upgrades.js';
import { Metrics } from './metrics.js';
import type { EarshotOptions, ResolvedOptions } from './options/options.js';
import { resolveOptions } from './options/options.js';
import { policyFrom } from './policy/policy.js';
import { HeldAnswers } from './routes/held-answers.js';

const RECONNECTS_PER_SECOND = 200;

/** One session, as `sessions.list()` tells of it. */
export interface SessionInfo {
  readonly id: string;
  readonly user: string | null;
  readonly name: string;
  readonly address: string;
  readonly transport: string;
  /** ms since 1970. */
  readonly beganAt: number;
  readonly channels: readonly string[];
}

/** The sessions of this node. */
export interface SessionRegistry {
  /** How many there are. */
  readonly count: number;
  list(): SessionInfo[];
  /** Ends one in words: the client is told `forbidden` and does not come back. False where there is none of that id. */
  end(id: string): boolean;
}

/**
 * A running Earshot: what `app.earshot` is. Everything of it ends with `close()`, which `app.close()` calls.
 */
export class Earshot {
  readonly options: ResolvedOptions;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly admission: Admission;
  readonly heldAnswers = new HeldAnswers();
  readonly #node: EarshotNode;
  readonly #endpoint: WebSocketEndpoint;
  readonly #eventLoop = new EventLoopMonitor();
  readonly #logError: LogError;
  readonly #ticker: NodeJS.Timeout;
  #giveBack: (() => void) | undefined;
  #drain: Promise<void> | undefined;

  /** Throws an OptionsError for options that can't be. */
  constructor(given: EarshotOptions, logError: LogError) {
    const options = resolveOptions(given);
    this.options = options;
    this.#logError = logError;
    this.store = options.store ?? memoryStore(options);
    this.metrics = new Metrics({
      carriers: () => this.#carriers(),
      channels: () => this.#node.hub.channels,
      draining: () => this.draining,
      eventLoopDelay: () => this.eventLoopDelay,
    });
    const authenticate = tokenChecker(options.token);
    this.#node = new EarshotNode({
      store: this.store,
      policy: policyFrom(options),
      limits: options.limits,
      times: options,
      telemetry: this.metrics,
      logError,
      authenticate,
      now: Date.now,
      uptimeMs: () => performance.now(),
      defer: setImmediate,
      random: Math.random,
      makeId: randomUUID,
    });
    const { sessions } = this.#node;
    this.admission = new Admission(options, authenticate, {
      draining: () => this.draining,
      sessions: () => sessions.size,
      sessionsFrom: (address) => sessions.from(address),
    });
    this.#endpoint = new WebSocketEndpoint({
      options,
      node: this.#node,
      admission: this.admission,
      metrics: this.metrics,
      logError: (error) => logError(error, {}),
    });
    this.#ticker = setInterval(() => this.#tick(), tickMs(options)).unref();
  }

  /** True from the moment that the end has begun: nobody is admitted any more. */
  get draining(): boolean {
    return this.#drain !== undefined;
  }

  /** Of the last second, in seconds. */
  get eventLoopDelay(): { readonly p50: number; readonly p99: number } {
    return this.#eventLoop.delay;
  }

  get sessions(): SessionRegistry {
    const { sessions } = this.#node;
    return {
      get count() {
        return sessions.size;
      },
      list: () => sessions.all().map(describe),
      end: (id) => {
        const session = sessions.get(id);
        session?.end({ close: 'forbidden', code: 'forbidden', cause: 'closed' });
        return session !== undefined;
      },
    };
  }

  /**
   * Publishes from the server, past every policy. Resolves with the offset once the message is in the store.
   * `data` is anything that JSON.stringify prints; `from` is who readers see it come from, default `server`.
   * Rejects with `Refused`: `bad_channel`, `bad_data`, `closed`, `too_many`, `unavailable`.
   */
  async publish(
    channel: string,
    data: unknown,
    { from = 'server' }: { from?: string } = {},
  ): Promise<Appended> {
    if (!isChannel(channel)) throw new Refused('bad_channel', CHANNEL_RULE);
    return this.store.append(channel, { from, data: toJson(data) });
  }

  /** A command of an admitted caller that comes without a session: the text of its envelope in, of its answer out. */
  request(identity: Identity, address: string, text: string): Promise<string> {
    const caller = identity.user === null ? `address ${address}` : `user ${identity.user}`;
    return request(this.#node, randomUUID(), identity, caller, text);
  }

  /** Takes the upgrades of our path on a server, whoever else listens there. `scope` is the prefix it is registered under. */
  attach(server: Server, scope: string): void {
    const { prefix, path } = this.options;
    this.#giveBack = takeUpgrades(server, scope + prefix + path, this.#endpoint.handle);
  }

  /**
   * Ends every session in order: `bye` with the time to come back within, then close 1012. Nobody is admitted
   * from now on. Resolves when every connection is closed, within `drainTimeoutMs`. Calling it again waits for
   * the same end.
   */
  drain(): Promise<void> {
    this.#drain ??= this.#drainNow();
    return this.#drain;
  }

  /** Drains, and lets go of everything. */
  async close(): Promise<void> {
    await this.drain();
    clearInterval(this.#ticker);
    this.#eventLoop.stop();
    this.#giveBack?.();
    if (this.options.store === undefined) await this.store.end();
  }

  async #drainNow(): Promise<void> {
    this.heldAnswers.end();
    const beganAt = performance.now();
    const plan = { timeoutMs: this.options.drainTimeoutMs, reconnectsPerSecond: RECONNECTS_PER_SECOND };
    await drainSessions(this.#node, this.#endpoint.webSockets, plan);
    this.metrics.drained((performance.now() - beganAt) / 1000);
  }

  *#carriers() {
    for (const session of this.#node.sessions) yield session.carrier;
  }

  #tick(): void {
    this.#eventLoop.sample();
    try {
      this.#node.tick();
    } catch (error) {
      this.#logError(error, {}); // a store's upkeep, say: the next tick tries again
    }
  }
}

function toJson(data: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(data);
    if (text !== undefined) return text;
  } catch {
    // circular, or a bigint: no JSON either
  }
  throw new Refused('bad_data', 'the data is nothing that JSON has');
}

function memoryStore({ retention, limits }: ResolvedOptions): MemoryStore {
  return new MemoryStore({
    retention: () => retention,
    maxChannels: limits.maxChannels,
    maxBytes: limits.maxStoreBytes,
  });
}

/** Once a second, and often enough for the shortest time that is kept. */
function tickMs({ pingIntervalMs, pongTimeoutMs, stallTimeoutMs }: ResolvedOptions): number {
  return Math.max(10, Math.min(1000, pingIntervalMs / 2, pongTimeoutMs / 2, stallTimeoutMs / 2));
}

function describe({ id, identity, address, carrier, beganAt, subscriptions }: Session): SessionInfo {
  const { user, name } = identity;
  return {
    id,
    user,
    name,
    address,
    transport: carrier.transport,
    beganAt,
    channels: [...subscriptions.keys()],
  };
}
