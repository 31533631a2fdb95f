import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bus } from '../core/neighbours/bus.js';
import { EarshotNode } from '../core/node.js';
import type { Identity } from '../core/policy/policy.js';
import type { PolicyTable } from '../core/policy/table.js';
import { request } from '../core/session/request.js';
import type { Revocation } from '../core/session/revocations.js';
import { Refused } from '../protocol/refused.js';
import type { Member } from '../protocol/replies.js';
import type { Appended, Store } from '../store/store.js';
import type { Accelerator } from '../transport/websocket/accelerator.js';
import { loadAccelerator } from '../transport/websocket/accelerator.js';
import { Admission } from './admission/admission.js';
import { tokenChecker } from './admission/tokens.js';
import { Alarm } from './alarm.js';
import { ChannelRegistry } from './api/channels.js';
import type { History, HistoryOptions, PublishOptions } from './api/messages.js';
import { historyOf, membersOf, publishTo } from './api/messages.js';
import { SessionRegistry } from './api/sessions.js';
import type { Stats } from './api/stats.js';
import { statsOf } from './api/stats.js';
import { drainSessions } from './drain.js';
import { WebSocketEndpoint } from './endpoint.js';
import { guardHooks } from './hooks.js';
import { takeUpgrades } from './http/upgrades.js';
import type { EarshotOptions, ResolvedOptions } from './options/options.js';
import { resolveOptions } from './options/options.js';
import { policyFrom } from './policy/policy.js';
import { EventLoopMonitor } from './report/event-loop.js';
import type { Log } from './report/journal.js';
import { LogJournal } from './report/journal.js';
import { Metrics } from './report/metrics.js';
import { HeldAnswers } from './routes/held-answers.js';
import { storeFor } from './store.js';
import { Bodies } from './streams/bodies.js';

/** A node that is silent for so long is gone. */
const NEIGHBOUR_LEASE_MS = 5000;

/** How an end differs from the one that the options say. */
export interface DrainOptions {
  /** For all of it, in ms. */
  readonly timeoutMs?: number;
  /** Before it begins, in ms. */
  readonly delayMs?: number;
}

export interface RevokeOptions {
  /**
   * Until when it is remembered, in ms since 1970: when the token expires. Default: as long as the process runs, or with a
   * `bus` one that has heard of it.
   */
  readonly until?: number | undefined;
}

/**
 * A running Earshot: what `app.earshot` is. Everything of it ends with `close()`, which `app.close()` and `await using`
 * call. What it does is past every policy and limit: it is the server's own word.
 */
export class Earshot implements AsyncDisposable {
  readonly options: ResolvedOptions;
  readonly metrics: Metrics;
  readonly admission: Admission;
  readonly journal: LogJournal;
  readonly sessions: SessionRegistry;
  readonly channels: ChannelRegistry;
  readonly heldAnswers = new HeldAnswers();
  /** Of the requests under way. */
  readonly bodies: Bodies;
  /** The core, for the routes of this package. Not promised: that any of it stays as it is. */
  readonly node: EarshotNode;
  readonly #endpoint: WebSocketEndpoint;
  readonly #eventLoop = new EventLoopMonitor();
  readonly #ticker: NodeJS.Timeout;
  #ticks = 0;
  readonly #alarm: Alarm;
  #giveBack: (() => void) | undefined;
  #drain: Promise<void> | undefined;
  #draining = false;
  readonly #delay = new AbortController();

  /** Rejects with an OptionsError for options that can't be, with an AcceleratorError, and where the store can't be had. */
  static async open(given: EarshotOptions, log: Log): Promise<Earshot> {
    const options = resolveOptions(given);
    const policy = policyFrom(options);
    const accelerator = options.accelerate ? await loadAccelerator() : undefined;
    const { store, bus } = await storeFor(options, policy, log);
    try {
      return new Earshot(options, { policy, store, bus, accelerator, log });
    } catch (error) {
      if (store !== options.store) await store.end();
      throw error;
    }
  }

  private constructor(options: ResolvedOptions, { policy, store, bus, accelerator, log }: Parts) {
    this.options = options;
    this.bodies = new Bodies(options.limits.maxBodiesBytes);
    this.journal = new LogJournal(log, uptimeMs);
    this.metrics = new Metrics({
      carriers: () => this.#carriers(),
      channels: () => this.node.hub.channels,
      draining: () => this.leaving,
      eventLoopDelay: () => this.eventLoopDelay,
      neighbours: () => this.node.neighbours?.count ?? 0,
    });
    const hooks = guardHooks(options.hooks, options.hookTimeoutMs, this.journal);
    const authenticate = this.#authenticator(options);
    this.node = new EarshotNode({
      store,
      policy,
      hooks,
      limits: options.limits,
      times: options,
      telemetry: this.metrics,
      journal: this.journal,
      authenticate,
      now: Date.now,
      uptimeMs,
      defer: setImmediate,
      later: (run, ms) => setTimeout(run, ms).unref(),
      random: Math.random,
      makeId: randomUUID,
      alarm: (atMs) => this.#alarm.ring(atMs),
      neighbours: bus && { bus, leaseMs: NEIGHBOUR_LEASE_MS },
    });
    this.#alarm = new Alarm(uptimeMs, () => this.node.wake());
    this.sessions = new SessionRegistry(this.node);
    this.channels = new ChannelRegistry(this.node);
    this.admission = new Admission(options, hooks, this.#occupancy(authenticate));
    this.#endpoint = new WebSocketEndpoint({
      options,
      accelerator,
      node: this.node,
      admission: this.admission,
      metrics: this.metrics,
      journal: this.journal,
    });
    this.node.neighbours?.meet();
    this.#ticker = setInterval(() => this.#tick(), tickMs(options) / TICK_PARTS).unref();
  }

  get store(): Store {
    return this.node.store;
  }

  /** True from the moment that the end was asked for: not ready any more. */
  get leaving(): boolean {
    return this.#drain !== undefined;
  }

  /** True from the moment that the end has begun: nobody is admitted any more. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Of the last second, in seconds. */
  get eventLoopDelay(): { readonly p50: number; readonly p99: number } {
    return this.#eventLoop.delay;
  }

  /**
   * Publishes. Resolves with the offset once the message is in the store; `data` is anything that JSON.stringify
   * prints. Rejects with `Refused`: `bad_channel`, `bad_data`, `closed`, `too_many`, `unavailable`, and with a producer
   * `fenced` and `out_of_sequence`. Of those that are not awaited the order is kept, but no number of them is bounded:
   * what the store has not taken yet is held in this process.
   */
  publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<Appended> {
    return publishTo(this.node, channel, data, options);
  }

  /** A page of the log. Rejects with `bad_channel`, `bad_offset`, or `gone` where what followed is no longer kept. */
  history(channel: string, options: HistoryOptions = {}): Promise<History> {
    return historyOf(this.node, channel, options);
  }

  /** Who is in a channel, on this node and on those that it hears of by the `bus`: at most 1,000 are named, `count` tells how many there are. */
  presence(channel: string): { readonly members: readonly Member[]; readonly count: number } {
    return membersOf(this.node, channel);
  }

  /** What this node holds. */
  stats(): Stats {
    return statsOf(this.node, this.leaving);
  }

  /**
   * Ends what a token id, or every token that a user was given until now, stands for: sessions end at once with 4401,
   * and such tokens are refused from now on. How many sessions were ended on this node; with a `bus` the others do the same
   * as soon as they hear of it, those too that were away or start later. A token that the user gets within the same
   * second may count as an old one: `iat` has whole seconds. Remembered by processes alone, at most 100,000 of them:
   * one more throws `too_many`.
   */
  revoke(revocation: Revocation, { until = Number.POSITIVE_INFINITY }: RevokeOptions = {}): number {
    return this.node.orders.revoke(revocation, until);
  }

  /** A command of an admitted caller that comes without a session: the text of its envelope in, of its answer out. */
  request(identity: Identity, address: string, text: string): Promise<string> {
    return request(this.node, randomUUID(), identity, address, text);
  }

  /** Takes the upgrades of our path on a server, whoever else listens there. `scope` is the prefix it is registered under. */
  attach(server: Server, scope: string): void {
    const { prefix, path } = this.options;
    this.#giveBack = takeUpgrades(server, scope + prefix + path, this.#endpoint.handle);
  }

  /**
   * Ends every session in order: not ready at once; after `drainDelayMs` nobody is admitted any more, and everybody is
   * told `bye` with the time to come back within and closed with 1012, in batches. Resolves when every connection is
   * closed, within `drainTimeoutMs`. Calling it again waits for the same end; with a `delayMs` of 0 the delay is over.
   */
  drain(options: DrainOptions = {}): Promise<void> {
    if (options.delayMs === 0) this.#delay.abort();
    this.#drain ??= this.#drainNow(options);
    return this.#drain;
  }

  /** Drains, and lets go of everything. */
  async close(): Promise<void> {
    await this.drain();
    clearInterval(this.#ticker);
    this.#alarm.stop();
    this.#eventLoop.stop();
    this.#giveBack?.();
    if (this.options.store !== this.store) await this.store.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drainNow({
    timeoutMs = this.options.drainTimeoutMs,
    delayMs = this.options.drainDelayMs,
  }: DrainOptions): Promise<void> {
    if (delayMs > 0) await wait(delayMs, undefined, { signal: this.#delay.signal }).catch(() => {}); // cut short
    this.heldAnswers.end();
    const beganAt = performance.now();
    this.#draining = true;
    await drainSessions(this.node, this.#endpoint.webSockets, {
      timeoutMs: Math.max(1, timeoutMs - delayMs),
      backWithinMs: this.options.drainTimeoutMs,
      reconnectsPerSecond: this.options.reconnectsPerSecond,
    });
    this.node.neighbours?.leave();
    this.metrics.drained((performance.now() - beganAt) / 1000);
  }

  /** Who a token says it is, unless it was revoked. */
  #authenticator({ token }: ResolvedOptions): (token: string) => Promise<Identity> {
    const logError = (error: unknown) => this.journal.error(error, {});
    const check = tokenChecker(token, { now: Date.now, fetch, logError });
    return async (text) => {
      const identity = await check(text);
      this.#checkRevoked(identity);
      return identity;
    };
  }

  #occupancy(authenticate: (token: string) => Promise<Identity>) {
    const { sessions } = this.node;
    return {
      draining: () => this.draining,
      sessions: () => sessions.size,
      quotas: sessions.quotas.bind(sessions),
      limited: this.metrics.limited.bind(this.metrics),
      checkRevoked: (identity: Identity) => this.#checkRevoked(identity),
      authenticate,
      uptimeMs,
    };
  }

  #checkRevoked(identity: Identity): void {
    if (this.node.revocations.has(identity, Date.now()))
      throw new Refused('unauthenticated', 'the token was revoked');
  }

  *#carriers() {
    for (const session of this.node.sessions) yield session.carrier;
  }

  #tick(): void {
    if (this.#ticks++ % TICK_PARTS === 0) this.#eventLoop.sample();
    try {
      this.node.tick(TICK_PARTS);
    } catch (error) {
      this.journal.error(error, {}); // a store's upkeep, say: the next tick tries again
    }
  }
}

/** What is there before the rest is made. */
interface Parts {
  readonly policy: PolicyTable;
  readonly store: Store;
  readonly bus: Bus | undefined;
  readonly accelerator: Accelerator | undefined;
  readonly log: Log;
}

function uptimeMs(): number {
  return performance.now();
}

/** What is done every second is done in so many parts. */
const TICK_PARTS = 10;

/** For all parts together: once a second, and often enough for the shortest time that is kept. */
function tickMs({ pingIntervalMs, pongTimeoutMs, stallTimeoutMs }: ResolvedOptions): number {
  return Math.max(10, Math.min(1000, pingIntervalMs / 2, pongTimeoutMs / 2, stallTimeoutMs / 2));
}
