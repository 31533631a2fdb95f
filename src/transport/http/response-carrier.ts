import type { Carrier, Encoding, Transport } from '../../core/carrier.js';

/** What carries an answer, HTTP/1.1 or HTTP/2: of the response of Node what is needed. */
export interface HttpResponse {
  /** Bytes that were written and have not left the process. */
  readonly writableLength: number;
  write(data: string | Uint8Array): boolean;
  end(): unknown;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** Before it is known what a channel holds, there is nothing to tell. */
const mute: Encoding<never> = {
  messages() {
    throw new Error('messages were handed over before it was known how they are printed');
  },
  push: () => undefined,
  reply: () => undefined,
};

/** One HTTP response as a carrier: what is written goes down, nothing comes up. */
export abstract class ResponseCarrier<Printed> implements Carrier<Printed> {
  abstract readonly transport: Transport;
  readonly answersPings = false;
  readonly endsWithSubscriptions = true;
  readonly receivedBytes = 0;
  protected readonly response: HttpResponse;
  #encoding: Encoding<Printed> = mute;

  constructor(response: HttpResponse) {
    this.response = response;
  }

  get encoding(): Encoding<Printed> {
    return this.#encoding;
  }

  /** To be set before anything is written. */
  set encoding(encoding: Encoding<Printed>) {
    this.#encoding = encoding;
  }

  abstract get queuedBytes(): number;
  abstract get sentBytes(): number;
  abstract write(printed: Printed): void;
  abstract settled(): void;
  abstract timeUp(): void;
  abstract ping(): void;
  abstract close(code: number, reason: string): void;

  /** There is no input to be stopped. */
  pause(): void {}

  resume(): void {}

  terminate(): void {
    this.response.destroy();
  }
}
