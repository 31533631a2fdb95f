import { Counter, Gauge, Registry } from 'prom-client';
import type { Carrier, Transport } from '../../core/carrier.js';
import type { Exceeded } from '../../core/quota/quota.js';
import type { Telemetry } from '../../core/telemetry.js';
import type { ErrorCode } from '../../protocol/codes.js';
import { CLOSES } from '../../protocol/codes.js';
import type { WebSocketTelemetry } from '../../transport/websocket/serve.js';
import { CommandDurations } from './durations.js';

const COMMAND_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** A client may close with any number: those that mean something keep their own label. */
const KNOWN_CLOSES = new Set<number>([1005, 1006, ...Object.values(CLOSES).map(({ code }) => code)]);

/** What becomes of a gauge where several processes are counted together. */
type Together = 'sum' | 'max';

/** What is read when somebody asks, not counted as it happens. */
export interface Readings {
  /** Every open carrier. */
  carriers(): Iterable<Carrier>;
  channels(): number;
  draining(): boolean;
  /** Seconds. */
  eventLoopDelay(): { readonly p50: number; readonly p99: number };
  neighbours(): number;
}

/** Everything that is counted, for Prometheus: base units, no channel and no user in a label. */
export class Metrics implements Telemetry, WebSocketTelemetry {
  /** Of its own: nothing is registered globally. */
  readonly registry = new Registry();
  #together: (() => Promise<string>) | undefined;
  readonly #sessions = this.#gauge('sessions', 'Sessions by transport.', ['transport']);
  readonly #sessionsTotal = this.#counter('sessions_total', 'Sessions ever begun.', ['transport']);
  readonly #subscriptions = this.#gauge('subscriptions', 'Subscriptions by transport.', ['transport']);
  readonly #messagesIn = this.#tally('messages_in_total', 'Messages from publishers.');
  readonly #messagesOut = this.#tally('messages_out_total', 'Messages delivered to readers.');
  readonly #resumes = this.#counter('resumes_total', 'Subscribes by what became of the position.', [
    'outcome',
  ]);
  readonly #fellBehind = this.#counter('fell_behind_total', 'Live subscriptions that went catching up.', []);
  readonly #gaps = this.#counter('gaps_total', 'Positions that were no longer kept.', ['reason']);
  readonly #faults = this.#counter('faults_total', 'Frames that were no command.', ['code']);
  readonly #refusals = this.#counter('refusals_total', 'Connections and requests refused.', ['reason']);
  readonly #limited = this.#counter('limited_total', 'What went over a limit, and whose limit it was.', [
    'limit',
    'scope',
  ]);
  readonly #closes = this.#counter('closes_total', 'Closed WebSockets by code.', ['code']);
  readonly #wsErrors = this.#counter('ws_errors_total', "What was wrong with peers' frames.", ['code']);
  readonly #drainSeconds = this.#gauge('drain_seconds', 'How long the last drain took.', [], 'max');
  readonly #commands = new CommandDurations(
    'earshot_command_duration_seconds',
    'Commands by type and outcome.',
    COMMAND_SECONDS,
  );
  /** Of the carriers that are gone. */
  readonly #goneBytes = new Map<Transport, { received: number; sent: number }>();

  constructor(readings: Readings) {
    this.registry.registerMetric(this.#commands);
    this.#read('channels', 'Channels with a subscription on this node.', () => readings.channels());
    this.#read('workers', 'Processes that serve on this port together.', () => 1);
    this.#read('draining', '1 while the server ends.', () => Number(readings.draining()), 'max');
    this.#readDelay(readings);
    this.#readCounts('received_bytes_total', 'Bytes from peers.', () => this.#bytes('received', readings));
    this.#readCounts('sent_bytes_total', 'Bytes to peers.', () => this.#bytes('sent', readings));
    this.#read('neighbours', 'Other nodes that are heard of by the bus.', () => readings.neighbours(), 'max');
  }

  /** In the text format of Prometheus: of this process, or of all that serve together. */
  text(): Promise<string> {
    return this.#together === undefined ? this.registry.metrics() : this.#together();
  }

  /** This process is one of several, and `read` gives what is counted in all of them. */
  readTogether(read: () => Promise<string>): void {
    this.#together = read;
  }

  sessionBegan(transport: Transport): void {
    this.#sessions.inc({ transport });
    this.#sessionsTotal.inc({ transport });
  }

  sessionEnded({ transport, receivedBytes, sentBytes }: Carrier): void {
    this.#sessions.dec({ transport });
    const gone = this.#goneBytes.get(transport) ?? { received: 0, sent: 0 };
    gone.received += receivedBytes;
    gone.sent += sentBytes;
    this.#goneBytes.set(transport, gone);
  }

  subscribed(transport: Transport): void {
    this.#subscriptions.inc({ transport });
  }

  unsubscribed(transport: Transport): void {
    this.#subscriptions.dec({ transport });
  }

  resumed(outcome: 'complete' | 'lost' | 'none'): void {
    this.#resumes.inc({ outcome });
  }

  fellBehind(): void {
    this.#fellBehind.inc();
  }

  gap(reason: 'retention' | 'reset'): void {
    this.#gaps.inc({ reason });
  }

  messagesIn(transport: Transport): void {
    this.#messagesIn(transport, 1);
  }

  messagesOut(transport: Transport, count: number): void {
    this.#messagesOut(transport, count);
  }

  command(command: string, outcome: 'ok' | ErrorCode, seconds: number): void {
    this.#commands.add(command, outcome, seconds);
  }

  fault(code: ErrorCode): void {
    this.#faults.inc({ code });
  }

  limited({ limit, scope }: Exceeded): void {
    this.#limited.inc({ limit, scope });
  }

  /** A connection was not admitted. */
  refused(reason: ErrorCode): void {
    this.#refusals.inc({ reason });
  }

  webSocketClosed(code: number): void {
    this.#closes.inc({ code: KNOWN_CLOSES.has(code) ? String(code) : 'other' });
  }

  webSocketFailed(code: string): void {
    this.#wsErrors.inc({ code });
  }

  drained(seconds: number): void {
    this.#drainSeconds.set(seconds);
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `earshot_${name}`, help, labelNames, registers: [this.registry] });
  }

  /** A counter for what comes often: a number here, which the library hears of when somebody asks. */
  #tally(name: string, help: string): (transport: Transport, count: number) => void {
    const counts = new Map<Transport, number>();
    this.#readCounts(name, help, () => counts);
    return (transport, count) => counts.set(transport, (counts.get(transport) ?? 0) + count);
  }

  /** A counter by transport that is added up when somebody asks. */
  #readCounts(name: string, help: string, read: () => Iterable<readonly [Transport, number]>): void {
    new Counter({
      name: `earshot_${name}`,
      help,
      labelNames: ['transport'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [transport, count] of read()) this.inc({ transport }, count);
      },
    });
  }

  #gauge<L extends string>(
    name: string,
    help: string,
    labelNames: L[],
    aggregator: Together = 'sum',
  ): Gauge<L> {
    return new Gauge({ name: `earshot_${name}`, help, labelNames, aggregator, registers: [this.registry] });
  }

  #read(name: string, help: string, read: () => number, aggregator: Together = 'sum'): void {
    const registers = [this.registry];
    new Gauge({
      name: `earshot_${name}`,
      help,
      aggregator,
      registers,
      collect() {
        this.set(read());
      },
    });
  }

  #readDelay({ eventLoopDelay }: Readings): void {
    new Gauge({
      name: 'earshot_event_loop_delay_seconds',
      help: 'How late the event loop was within the last second.',
      labelNames: ['quantile'],
      aggregator: 'max' satisfies Together,
      registers: [this.registry],
      collect() {
        const { p50, p99 } = eventLoopDelay();
        this.set({ quantile: '0.5' }, p50);
        this.set({ quantile: '0.99' }, p99);
      },
    });
  }

  /** Sockets count their bytes themselves: those of the open ones, and of those that are gone. */
  *#bytes(direction: 'received' | 'sent', { carriers }: Readings): Iterable<readonly [Transport, number]> {
    for (const [transport, bytes] of this.#goneBytes) yield [transport, bytes[direction]];
    for (const { transport, receivedBytes, sentBytes } of carriers())
      yield [transport, direction === 'sent' ? sentBytes : receivedBytes];
  }
}
