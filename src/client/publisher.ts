import type { SessionLimits } from '../protocol/pushes.js';
import type { BackoffBounds } from './backoff.js';
import { EarshotError } from './errors.js';
import type { CallOptions, Clock, PublishResult } from './options.js';
import type { LaneHost } from './parts/lane.js';
import { Lane } from './parts/lane.js';
import { Pledge } from './parts/pledge.js';
import type { Requests } from './parts/requests.js';

/**
 * Publishes in such a way that each message is stored once: this client is a producer with an id of its own,
 * and each channel has a lane in which its messages are numbered.
 */
export class Publisher {
  readonly #host: LaneHost;
  readonly #lanes = new Map<string, Lane>();

  constructor(settings: Clock & BackoffBounds, requests: Requests) {
    this.#host = { ...settings, requests, producerId: makeProducerId(), limits: undefined };
  }

  /** How many messages have no answer yet. */
  get size(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.size, 0);
  }

  async publish(channel: string, dataText: string, options: CallOptions): Promise<PublishResult> {
    const lane = this.#lanes.get(channel) ?? new Lane(this.#host, channel);
    this.#lanes.set(channel, lane);
    const pledge = new Pledge<PublishResult>(this.#host, options, () => lane.abandon(pledge));
    if (!pledge.settled) lane.add(dataText, pledge);
    return pledge.promise;
  }

  connected(limits: SessionLimits): void {
    this.#host.limits = limits;
    for (const lane of this.#lanes.values()) lane.pump();
  }

  dropped(): void {
    this.#host.limits = undefined;
    for (const lane of this.#lanes.values()) lane.dropped();
  }

  ended(error: EarshotError): void {
    for (const lane of this.#lanes.values()) lane.ended(error);
  }
}

/** 128 bits of chance, so that no two clients are one producer. */
function makeProducerId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The data as it will travel, whatever becomes of the object. */
export function toJson(data: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(data);
    if (text !== undefined) return text;
  } catch (cause) {
    throw new EarshotError('bad_data', 'the data is not JSON', 'never', { cause });
  }
  throw new EarshotError('bad_data', 'the data is not JSON');
}
