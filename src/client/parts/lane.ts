import type { SessionLimits } from '../../protocol/pushes.js';
import type { BackoffBounds } from '../backoff.js';
import { backoffMs } from '../backoff.js';
import { EarshotError, errorOf } from '../errors.js';
import type { Clock, PublishResult } from '../options.js';
import type { Pledge } from './pledge.js';
import type { Answer, Requests } from './requests.js';
import { fits } from './size.js';

/** How many messages of a lane are under way at once: enough for throughput, few enough to repeat. */
const WINDOW = 32;

/** What all the lanes of a client share. */
export interface LaneHost extends Clock, BackoffBounds {
  readonly requests: Requests;
  readonly producerId: string;
  /** While connected. */
  limits: SessionLimits | undefined;
}

interface Item {
  readonly dataText: string;
  readonly pledge: Pledge<PublishResult>;
  /** Its number in this epoch; undefined until it is first sent. */
  seq: number | undefined;
  /** Of the command that is under way with it; an answer to any other is of no interest. */
  commandId: number | undefined;
  /** Sent before under this number, so the server may have stored it. */
  repeated: boolean;
  refusal: EarshotError | undefined;
}

/**
 * The messages of one channel that have no answer yet, in order; those that were sent come first, numbered
 * without a hole. After a cut they go out again under the same numbers, so each is stored once. Only the head
 * is ever judged by a refusal: what follows it is refused for its sake alone.
 */
export class Lane {
  readonly #host: LaneHost;
  readonly #channel: string;
  #items: Item[] = [];
  #epoch = 0;
  #nextSeq = 0;
  #pauses = 0;
  #pause: unknown;

  constructor(host: LaneHost, channel: string) {
    this.#host = host;
    this.#channel = channel;
  }

  get size(): number {
    return this.#items.length;
  }

  add(dataText: string, pledge: Pledge<PublishResult>): void {
    const fresh = { seq: undefined, commandId: undefined, repeated: false, refusal: undefined };
    this.#items.push({ dataText, pledge, ...fresh });
    this.pump();
  }

  /** Its publisher no longer waits. One that was sent stays, for its number is used, until it is answered. */
  abandon(pledge: Pledge<PublishResult>): void {
    this.#items = this.#items.filter((item) => item.pledge !== pledge || item.seq !== undefined);
  }

  /** Sends what may be sent. */
  pump(): void {
    const { limits } = this.#host;
    if (limits === undefined || this.#pause !== undefined) return;
    let underWay = 0;
    for (const item of this.#items) {
      if (underWay === WINDOW) return;
      if (item.commandId === undefined) this.#send(item, limits.maxFrameBytes);
      if (item.commandId !== undefined) underWay++;
    }
  }

  dropped(): void {
    this.#resume();
    for (const item of this.#items) takeBack(item);
  }

  ended(error: EarshotError): void {
    this.#resume();
    for (const item of this.#items) item.pledge.reject(error);
    this.#items = [];
  }

  #send(item: Item, maxFrameBytes: number): void {
    const write = (id: number) => this.#write(item, id);
    if (item.seq === undefined && !fits(write(Number.MAX_SAFE_INTEGER), maxFrameBytes)) {
      this.#remove(item);
      const message = `the message does not fit into a frame of ${maxFrameBytes} bytes`;
      item.pledge.reject(new EarshotError('too_large', message));
      return;
    }
    item.seq ??= this.#nextSeq++;
    item.commandId = this.#host.requests.send(write, (answer, id) => {
      if (answer !== undefined && item.commandId === id) this.#answered(item, answer);
    });
  }

  #write({ dataText, seq = this.#nextSeq }: Item, id: number): string {
    const producer = JSON.stringify({ id: this.#host.producerId, epoch: this.#epoch, seq });
    const channel = JSON.stringify(this.#channel);
    return `{"type":"publish","id":${id},"channel":${channel},"data":${dataText},"producer":${producer}}`;
  }

  #answered(item: Item, answer: Answer): void {
    if (answer.type === 'published') {
      this.#pauses = 0;
      this.#remove(item);
      item.pledge.resolve({ offset: answer.offset, duplicate: answer.duplicate });
    } else if (answer.type === 'error') {
      item.refusal = errorOf(answer);
    }
    this.#judge();
    this.pump();
  }

  /** Acts on the refusal of the head. A later one waits until all before it are answered. */
  #judge(): void {
    for (let head = this.#items[0]; head?.refusal !== undefined; head = this.#items[0]) {
      const { refusal, pledge, repeated, seq } = head;
      const isPassing = refusal.advice === 'retry';
      if (isPassing && !pledge.settled) {
        this.#rest();
        return;
      }
      const isHole = refusal.code === 'out_of_sequence';
      if (!isHole || seq === 0) {
        this.#remove(head);
        pledge.reject(refusal);
      }
      // What was sent once and refused for good is not stored, nor is what follows it. Of any other nobody
      // knows, and the answers to those after it will tell.
      if (isHole || !(repeated || isPassing)) this.#startOver();
    }
  }

  /**
   * Begins a new epoch, from 0: none of these is stored. What may still be under way with the old numbers
   * is fenced off, on whatever connection it comes. Nobody waits for the abandoned.
   */
  #startOver(): void {
    this.#epoch++;
    this.#nextSeq = 0;
    this.#items = this.#items.filter((item) => !item.pledge.settled);
    for (const item of this.#items) {
      takeBack(item);
      item.seq = undefined;
      item.repeated = false;
    }
  }

  /** The server asks for patience: the head and all after it go out again later. */
  #rest(): void {
    for (const item of this.#items) takeBack(item);
    const ms = backoffMs(++this.#pauses, this.#host, this.#host.random());
    this.#pause = this.#host.setTimer(() => {
      this.#pause = undefined;
      this.pump();
    }, ms);
  }

  #resume(): void {
    if (this.#pause !== undefined) this.#host.clearTimer(this.#pause);
    this.#pause = undefined;
  }

  #remove(item: Item): void {
    this.#items = this.#items.filter((other) => other !== item);
  }
}

function takeBack(item: Item): void {
  item.repeated ||= item.commandId !== undefined;
  item.commandId = undefined;
  item.refusal = undefined;
}
