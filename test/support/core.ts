import type { Encoding } from '../../src/core/carrier.js';
import type { CoreHooks } from '../../src/core/hooks.js';
import type { Limits } from '../../src/core/limits.js';
import { DEFAULT_LIMITS } from '../../src/core/limits.js';
import type { NeighbourParts } from '../../src/core/neighbours/bus.js';
import { EarshotNode } from '../../src/core/node.js';
import type { Action } from '../../src/core/policy/action.js';
import type { Caller, Identity } from '../../src/core/policy/policy.js';
import type { PolicyTable } from '../../src/core/policy/table.js';
import type { Exceeded } from '../../src/core/quota/quota.js';
import type { LivenessTimes } from '../../src/core/session/liveness.js';
import { beginPlain, receivePlain } from '../../src/core/session/plain.js';
import { receiveEnvelope } from '../../src/core/session/receive.js';
import type { Session } from '../../src/core/session/session.js';
import type { Journal, Telemetry } from '../../src/core/telemetry.js';
import type { ErrorCode } from '../../src/protocol/codes.js';
import type { CommandInput, CommandType } from '../../src/protocol/commands.js';
import { command } from '../../src/protocol/commands.js';
import type { Envelope } from '../../src/protocol/pushes.js';
import { Refused } from '../../src/protocol/refused.js';
import { MemoryStore } from '../../src/store/memory/memory-store.js';
import type { Retention, Store } from '../../src/store/store.js';
import { jsonEncoding, plainEncoding } from '../../src/transport/websocket/encodings.js';
import { FakeCarrier } from './fake-carrier.js';
import { openPolicy } from './policy.js';

export const KEEP_ALL: Retention = { messages: 1e9, ageMs: 1e12, bytes: 1e12 };

const TIMES: LivenessTimes = { pingIntervalMs: 25_000, pongTimeoutMs: 8_000, stallTimeoutMs: 60_000 };
/** More turns than anything here needs: what is not quiet by then never will be. */
const MAX_TURNS = 20_000;

export interface RigOptions {
  readonly store?: (rig: { readonly now: () => number }) => Store;
  readonly retention?: Partial<Retention>;
  /** The table of rules; open to anybody unless said otherwise. */
  readonly policy?: PolicyTable;
  /** The host's verdict, before the table is asked. */
  readonly hooks?: CoreHooks;
  readonly authorize?: (caller: Caller, action: Action, channel: string) => boolean | Promise<boolean>;
  readonly limits?: Partial<Limits>;
  readonly tokens?: Readonly<Record<string, Identity>>;
  readonly neighbours?: NeighbourParts;
  /** What every id begins with that it makes. */
  readonly idPrefix?: string;
}

type Of<Type extends Envelope['type']> = Extract<Envelope, { type: Type }>;
/** A command without its id, which the peer adds. */
type Unnumbered<Each> = Each extends unknown ? Omit<Each, 'id'> : never;
export type Ask = Unnumbered<CommandInput>;

/** A node with everything that it is handed: time stands still until it is told to pass. */
export class Rig {
  readonly node: EarshotNode;
  readonly store: Store;
  readonly telemetry = new Telltale();
  readonly logged: { readonly error: unknown; readonly context: object }[] = [];
  /** When it asked to be woken. */
  readonly alarms: number[] = [];
  /** What was refused, by its cause. */
  readonly refused: string[] = [];
  readonly journal: Journal = {
    error: (error, { session, request, channel }) =>
      this.logged.push({
        error,
        context: { ...(session && { session }), ...(request && { request }), ...(channel && { channel }) },
      }),
    refused: (cause) => this.refused.push(cause),
    session: () => {},
  };
  #now = 1_800_000_000_000;
  #uptimeMs = 5_000;
  #deferred: (() => void)[] = [];
  #later: { readonly run: () => void; readonly atMs: number }[] = [];
  #ids = 0;

  constructor(options: RigOptions = {}) {
    const now = () => this.#now;
    this.store = options.store?.({ now }) ?? memoryStore({ now, ...options.retention });
    this.node = new EarshotNode({
      store: this.store,
      policy: options.policy ?? openPolicy,
      hooks: { ...options.hooks, ...hookOf(options.authorize) },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      times: TIMES,
      telemetry: this.telemetry,
      journal: this.journal,
      authenticate: async (token) => {
        const identity = options.tokens?.[token];
        if (identity === undefined) throw new Refused('unauthenticated', 'the token is not good');
        return identity;
      },
      now,
      uptimeMs: () => this.#uptimeMs,
      defer: (run) => this.#deferred.push(run),
      later: (run, ms) => this.#later.push({ run, atMs: this.#uptimeMs + ms }),
      random: () => 0.5,
      makeId: () => `${options.idPrefix ?? ''}s${++this.#ids}`,
      alarm: (atMs) => this.alarms.push(atMs),
      neighbours: options.neighbours,
    });
    this.node.neighbours?.meet();
  }

  get now(): number {
    return this.#now;
  }

  pass(ms: number): void {
    this.#now += ms;
    this.#uptimeMs += ms;
    const due = this.#later.filter(({ atMs }) => atMs <= this.#uptimeMs);
    this.#later = this.#later.filter(({ atMs }) => atMs > this.#uptimeMs);
    for (const { run } of due) run();
  }

  /** A second passes, and the node looks at its clock; as often as told. */
  seconds(count: number, each?: () => void): void {
    for (let second = 0; second < count; second++) {
      this.pass(1000);
      each?.();
      this.node.tick();
      this.node.wake();
    }
  }

  /** The end of a turn of the event loop: what was deferred runs, what that defers runs in the next. */
  turn(): void {
    const due = this.#deferred;
    this.#deferred = [];
    for (const run of due) run();
  }

  /** Lets everything run that is ready, and what that makes ready, until nothing is. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      await promises();
      if (this.#deferred.length === 0) return;
      this.turn();
    }
    throw new Error('the node does not come to rest');
  }

  /** A session that speaks envelopes, welcomed. */
  peer(name = 'ann', identity: Partial<Identity> = {}, encoding: Encoding<Uint8Array> = jsonEncoding): Peer {
    const carrier = new FakeCarrier(encoding);
    const session = this.node.begin(identityOf(name, identity), carrier, '192.0.2.1');
    carrier.onDrain = () => session.drained();
    session.welcome();
    return new Peer(this, session, carrier);
  }

  /** A session that speaks lines of text. */
  async plain(channel: string, name = 'ann', identity: Partial<Identity> = {}): Promise<PlainPeer> {
    const carrier = new FakeCarrier(plainEncoding);
    const session = this.node.begin(identityOf(name, identity), carrier, '192.0.2.2');
    carrier.onDrain = () => session.drained();
    await beginPlain(this.node, session, channel);
    await this.settle();
    return {
      session,
      carrier,
      lines: () => carrier.texts,
      say: async (text) => {
        receivePlain(session, channel, text);
        await this.settle();
      },
    };
  }

  /** Publishes each, in order, as nobody's session. */
  async append(channel: string, ...data: readonly unknown[]): Promise<string[]> {
    const appended = data.map((each) =>
      this.store.append(channel, [{ from: 'someone', data: JSON.stringify(each) }]),
    );
    return (await Promise.all(appended)).map(({ offset }) => offset);
  }

  /** What is still held, by everything that could hold something. All 0 after the last session is gone. */
  held(): object {
    const { sessions, subscriptions } = this.telemetry;
    return { channels: this.node.hub.channels, sessions, subscriptions, ofNode: this.node.sessions.size };
  }
}

export const NOTHING_HELD = { channels: 0, sessions: 0, subscriptions: 0, ofNode: 0 };

export interface PlainPeer {
  readonly session: Session;
  readonly carrier: FakeCarrier;
  lines(): readonly string[];
  say(text: string): Promise<void>;
}

/** The far end of a session. Every frame that reaches it is checked against the schemas of the wire. */
export class Peer {
  readonly rig: Rig;
  readonly session: Session;
  readonly carrier: FakeCarrier;
  #lastId = 0;

  constructor(rig: Rig, session: Session, carrier: FakeCarrier) {
    this.rig = rig;
    this.session = session;
    this.carrier = carrier;
  }

  /** Everything that has reached it. */
  get got(): readonly Envelope[] {
    return this.carrier.envelopes;
  }

  /** All of one type. */
  of<Type extends Envelope['type']>(type: Type): Of<Type>[] {
    return this.got.filter((each): each is Of<Type> => each.type === type);
  }

  types(): string[] {
    return this.got.map(({ type }) => type);
  }

  /** The data of the messages that have reached it. */
  data(channel?: string): unknown[] {
    return this.of('message')
      .filter((message) => channel === undefined || message.channel === channel)
      .map(({ data }) => data);
  }

  /** Sends a command and doesn't wait. Returns its id. */
  send(ask: Ask): number {
    const id = ++this.#lastId;
    this.raw(JSON.stringify(command.parse({ ...ask, id }) && { ...ask, id }));
    return id;
  }

  /** Sends a text as it is. */
  raw(text: string): void {
    this.carrier.receivedBytes += text.length;
    receiveEnvelope(this.session, text);
  }

  /** Sends a command, lets everything run, and gives what answered it. */
  async ask(ask: Ask): Promise<Envelope> {
    const id = this.send(ask);
    await this.rig.settle();
    return this.answer(id);
  }

  answer(id: number): Envelope {
    const answers = this.got.filter((each) => 'id' in each && each.id === id);
    const [answer, ...more] = answers;
    if (answer === undefined || more.length > 0)
      throw new Error(`${answers.length} answers to command ${id}`);
    return answer;
  }

  answered(id: number): boolean {
    return this.got.some((each) => 'id' in each && each.id === id);
  }

  async subscribe(channel: string, offset?: string, presence?: boolean): Promise<Of<'subscribed'>> {
    const reply = await this.ask({
      type: 'subscribe',
      channel,
      ...(offset !== undefined && { offset }),
      ...(presence !== undefined && { presence }),
    });
    if (reply.type !== 'subscribed') throw new Error(`not subscribed: ${JSON.stringify(reply)}`);
    return reply;
  }

  async publish(channel: string, data: unknown): Promise<Of<'published'>> {
    const reply = await this.ask({ type: 'publish', channel, data });
    if (reply.type !== 'published') throw new Error(`not published: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** A ping and its pong: whatever was to come before has come. */
  async fence(): Promise<void> {
    const pong = await this.ask({ type: 'ping' });
    if (pong.type !== 'pong') throw new Error(`no pong: ${JSON.stringify(pong)}`);
  }

  /** The connection is cut. */
  async cut(): Promise<void> {
    this.session.gone('closed');
    await this.rig.settle();
  }
}

function hookOf(authorize: RigOptions['authorize']): CoreHooks {
  if (authorize === undefined) return {};
  return { authorize: async ({ caller, action, channel }) => authorize(caller, action, channel) };
}

/** Lets every promise run that can. */
export function promises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function memoryStore({ now, ...retention }: { now: () => number } & Partial<Retention>): MemoryStore {
  return new MemoryStore({ now, random: () => 0.5, retention: () => ({ ...KEEP_ALL, ...retention }) });
}

export function identityOf(name: string, identity: Partial<Identity> = {}): Identity {
  return { user: null, name, claims: undefined, expiresAt: null, ...identity };
}

/** Telemetry that remembers. */
export class Telltale implements Telemetry {
  sessions = 0;
  subscriptions = 0;
  readonly resumes: string[] = [];
  readonly gaps: string[] = [];
  readonly commands: string[] = [];
  readonly seconds: number[] = [];
  readonly faults: string[] = [];
  readonly limits: string[] = [];
  timesBehind = 0;
  in = 0;
  out = 0;

  sessionBegan(): void {
    this.sessions++;
  }
  sessionEnded(): void {
    this.sessions--;
  }
  subscribed(): void {
    this.subscriptions++;
  }
  unsubscribed(): void {
    this.subscriptions--;
  }
  resumed(outcome: string): void {
    this.resumes.push(outcome);
  }
  fellBehind(): void {
    this.timesBehind++;
  }
  gap(reason: string): void {
    this.gaps.push(reason);
  }
  messagesIn(): void {
    this.in++;
  }
  messagesOut(_transport: string, count: number): void {
    this.out += count;
  }
  command(type: CommandType, outcome: 'ok' | ErrorCode, seconds: number): void {
    this.commands.push(`${type} ${outcome}`);
    this.seconds.push(seconds);
  }
  fault(code: ErrorCode): void {
    this.faults.push(code);
  }
  limited({ limit, scope }: Exceeded): void {
    this.limits.push(`${limit} of ${scope}`);
  }
}
