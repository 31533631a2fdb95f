import type { Bye, Envelope, Welcome } from '../../protocol/pushes.js';
import { SUBPROTOCOL } from '../../protocol/version.js';
import { EarshotError, errorOf } from '../errors.js';
import type { Settings, StateInfo } from '../options.js';
import type { SocketLike } from '../socket.js';
import type { ConnectionState, Effect, Failure, LinkEvent, Step } from '../state.js';
import { START, stateOf, step } from '../state.js';
import { bearerProtocol, type Credentials } from './credentials.js';
import { GRACE_MS, Liveness } from './liveness.js';
import { askWhy } from './refusal.js';

/** What a connection tells its client. */
export interface ConnectionOwner {
  welcomed(welcome: Welcome): void;
  received(envelope: Envelope): void;
  /** It was connected and is no more. */
  dropped(): void;
  changed(state: ConnectionState, info: StateInfo): void;
  said(bye: Bye): void;
  failed(error: EarshotError): void;
  /** For good; without an error where the application closed it. */
  ended(error: EarshotError | undefined): void;
}

const NO_TOKEN: Failure = { code: 'token_failed', reason: 'the token function failed', advice: 'retry' };
const SILENT: Failure = { code: 'timeout', reason: 'nothing came for too long', advice: 'retry' };

/** Does what the state machine decides: holds the socket, the timer and the token of the attempt under way. */
export class Connection {
  readonly #settings: Settings;
  readonly #credentials: Credentials;
  readonly #owner: ConnectionOwner;
  readonly #liveness: Liveness;
  readonly #events: LinkEvent[] = [];
  #link = START;
  #working = false;
  #socket: SocketLike | undefined;
  #timer: unknown;
  #attempt = new AbortController();
  #welcome: Welcome | undefined;

  constructor(settings: Settings, credentials: Credentials, owner: ConnectionOwner) {
    this.#settings = settings;
    this.#credentials = credentials;
    this.#owner = owner;
    const silent = () => this.dispatch({ type: 'failed', failure: SILENT });
    this.#liveness = new Liveness(settings, () => this.send('{"type":"ping"}'), silent);
  }

  get state(): ConnectionState {
    return stateOf(this.#link.phase);
  }

  send(text: string): void {
    this.#socket?.send(text);
  }

  /** Comes back at once if waiting; if connected, makes sure that it still is. */
  wake(): void {
    if (this.#link.phase === 'connected') this.#liveness.check();
    else this.dispatch({ type: 'wake' });
  }

  /** Takes one step of the machine. An event that comes of a step waits until the step is done. */
  dispatch(event: LinkEvent): void {
    this.#events.push(event);
    if (this.#working) return;
    this.#working = true;
    for (let next = this.#events.shift(); next; next = this.#events.shift()) this.#take(next);
    this.#working = false;
  }

  #take(event: LinkEvent): void {
    const settings = this.#settings;
    const { renewable } = this.#credentials;
    const moment = { nowMs: settings.now(), random: settings.random() };
    const before = this.state;
    const next = step(this.#link, event, { ...settings, ...moment, renewable });
    this.#link = next.link;
    for (const effect of next.effects) this.#perform(effect);
    if (this.state !== before) this.#owner.changed(this.state, infoOf(next));
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'cut':
        this.#cut();
        break;
      case 'authorize':
        void this.#authorize(effect.fresh, this.#attempt);
        break;
      case 'open':
        this.#open();
        break;
      case 'probe':
        void this.#probe(this.#attempt);
        break;
      case 'settle':
        this.#settle();
        break;
      case 'wait':
        this.#timer = this.#settings.setTimer(() => this.dispatch({ type: 'timer' }), effect.ms);
        break;
      case 'end':
        this.#owner.ended(effect.failure && errorOf({ ...effect.failure, message: effect.failure.reason }));
    }
  }

  /** Whatever the attempt still brings finds that it isn't the one any more. */
  #cut(): void {
    const socket = this.#socket;
    const wasConnected = this.#welcome !== undefined;
    this.#socket = undefined;
    this.#welcome = undefined;
    this.#attempt.abort();
    this.#attempt = new AbortController();
    this.#settings.clearTimer(this.#timer);
    this.#liveness.stop();
    socket?.close(1000);
    if (wasConnected) this.#owner.dropped();
  }

  async #authorize(fresh: boolean, attempt: AbortController): Promise<void> {
    try {
      await this.#credentials.prepare(fresh, attempt.signal);
      if (!attempt.signal.aborted) this.dispatch({ type: 'token' });
    } catch (cause) {
      if (attempt.signal.aborted) return;
      this.#owner.failed(new EarshotError(NO_TOKEN.code, NO_TOKEN.reason, 'retry', { cause }));
      this.dispatch({ type: 'failed', failure: NO_TOKEN });
    }
  }

  async #probe(attempt: AbortController): Promise<void> {
    const failure = await askWhy(this.#settings, this.#credentials.token, attempt.signal);
    if (!attempt.signal.aborted) this.dispatch({ type: 'failed', failure });
  }

  #open(): void {
    const { token } = this.#credentials;
    this.#credentials.tried();
    try {
      const protocols = token === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, bearerProtocol(token)];
      const socket = new this.#settings.WebSocket(this.#settings.url, protocols);
      this.#socket = socket;
      socket.addEventListener('message', ({ data }) => this.#socket === socket && this.#hear(data));
      socket.addEventListener('error', () => {}); // a close follows
      socket.addEventListener('close', ({ code = 1006, reason = '' }) => {
        if (this.#socket === socket) this.dispatch({ type: 'cut', code, reason });
      });
    } catch (error) {
      const failure: Failure = { code: 'bad_url', reason: String(error), advice: 'never' };
      this.dispatch({ type: 'failed', failure });
    }
  }

  #settle(): void {
    this.#settings.clearTimer(this.#timer);
    this.#credentials.proven();
    if (this.#welcome === undefined) return;
    this.#liveness.start(this.#settings.idleTimeoutMs ?? this.#welcome.pingIntervalMs + GRACE_MS);
    this.#owner.welcomed(this.#welcome);
  }

  #hear(data: unknown): void {
    this.#liveness.heard();
    const envelope = parse(data);
    if (envelope === undefined) return;
    if (envelope.type === 'welcome') {
      this.#welcome ??= envelope;
      this.dispatch({ type: 'welcome' });
    } else if (envelope.type === 'bye') {
      this.#owner.said(envelope);
      const { code, advice, afterMs } = envelope;
      const failure = { code, advice, reason: 'The server said goodbye.', windowMs: afterMs };
      this.dispatch({ type: 'bye', failure });
    } else {
      this.#owner.received(envelope);
    }
  }
}

/** The envelope in a frame, if it is one. */
function parse(data: unknown): Envelope | undefined {
  try {
    const envelope: unknown = JSON.parse(String(data));
    const isEnvelope = typeof envelope === 'object' && envelope !== null && 'type' in envelope;
    // The server is trusted to keep to the schema of each type; types that we don't know are passed over.
    return isEnvelope ? (envelope as Envelope) : undefined;
  } catch {
    return undefined;
  }
}

function infoOf({ failure, retryInMs }: Step): StateInfo {
  if (failure === undefined) return {};
  const { minDelayMs: _, windowMs: __, ...info } = failure;
  return retryInMs === undefined ? info : { ...info, retryInMs };
}
