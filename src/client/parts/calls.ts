import type { SessionLimits } from '../../protocol/pushes.js';
import type { Reply } from '../../protocol/replies.js';
import { EarshotError, errorOf } from '../errors.js';
import type { CallOptions, Clock } from '../options.js';
import { Pledge } from './pledge.js';
import type { Requests } from './requests.js';
import { fits } from './size.js';

export type ReplyOf<K extends Reply['type']> = Extract<Reply, { type: K }>;

interface Call {
  readonly write: (id: number) => string;
  readonly pledge: Pledge<Reply>;
  /** Whether it may be sent again after a cut. */
  readonly repeatable: boolean;
  sent: boolean;
}

/** Commands with one answer each: they wait for a connection, and for the answer, until their time is over. */
export class Calls {
  readonly #clock: Clock;
  readonly #requests: Requests;
  readonly #calls = new Set<Call>();
  #connected = false;
  #maxFrameBytes = Infinity;

  constructor(clock: Clock, requests: Requests) {
    this.#clock = clock;
    this.#requests = requests;
  }

  /** How many have no answer yet. */
  get size(): number {
    return this.#calls.size;
  }

  /** Resolves with the reply to the command; `repeatable` is whether it may be sent again after a cut. */
  async call<K extends Reply['type']>(
    write: (id: number) => string,
    options: CallOptions,
    repeatable = true,
  ): Promise<ReplyOf<K>> {
    const pledge = new Pledge<Reply>(this.#clock, options, () => this.#calls.delete(call));
    const call: Call = { write, pledge, repeatable, sent: false };
    if (!pledge.settled) this.#calls.add(call);
    if (!pledge.settled && this.#connected) this.#send(call);
    return pledge.promise as Promise<ReplyOf<K>>; // each command has one type of reply
  }

  connected({ maxFrameBytes }: SessionLimits): void {
    this.#connected = true;
    this.#maxFrameBytes = maxFrameBytes;
    for (const call of this.#calls) this.#send(call);
  }

  dropped(): void {
    this.#connected = false;
    for (const call of this.#calls) {
      if (call.sent && !call.repeatable) {
        this.#calls.delete(call);
        call.pledge.reject(
          new EarshotError('disconnected', 'the connection was cut before the answer came', 'retry'),
        );
      }
      call.sent = false;
    }
  }

  ended(error: EarshotError): void {
    for (const call of this.#calls) call.pledge.reject(error);
    this.#calls.clear();
  }

  /** A frame that is too large would cost the whole connection, for good. */
  #send(call: Call): void {
    if (!fits(call.write(Number.MAX_SAFE_INTEGER), this.#maxFrameBytes)) {
      this.#calls.delete(call);
      const message = `the command does not fit into a frame of ${this.#maxFrameBytes} bytes`;
      call.pledge.reject(new EarshotError('too_large', message));
      return;
    }
    call.sent = true;
    this.#requests.send(call.write, (answer) => {
      if (answer === undefined) return; // dropped() sees to it
      this.#calls.delete(call);
      if (answer.type === 'error') call.pledge.reject(errorOf(answer));
      else call.pledge.resolve(answer);
    });
  }
}
