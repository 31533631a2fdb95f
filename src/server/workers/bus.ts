import type { Bus } from '../../core/neighbours/bus.js';
import type { Link } from '../../store/shared/send-queue.js';
import { SendQueue } from '../../store/shared/send-queue.js';

/** Waiting for the primary process; beyond that what is said is lost, as a bus may lose it. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** What a worker says to the other workers of its server, and hears from them. */
export class WorkerBus implements Bus {
  readonly #queue: SendQueue<string>;
  readonly #listeners = new Set<(text: string) => void>();

  constructor(link: Link) {
    this.#queue = new SendQueue<string>(link, setImmediate);
    // what comes is of Relay: no other speaks on this link
    link.listen((texts) => {
      for (const text of texts as readonly string[]) for (const hear of [...this.#listeners]) hear(text);
    });
  }

  publish(text: string): void {
    if (this.#queue.waitingBytes < MAX_WAITING_BYTES) this.#queue.add(text, text.length);
  }

  listen(hear: (text: string) => void): () => void {
    this.#listeners.add(hear);
    return () => void this.#listeners.delete(hear);
  }
}
