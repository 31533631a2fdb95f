import type { Link } from '../../store/shared/send-queue.js';
import { SendQueue } from '../../store/shared/send-queue.js';

/** Waiting for one worker; beyond that what is said to it is lost, as a bus may lose it. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Passes on what one worker says on the bus to all the others. */
export class Relay {
  readonly #queues = new Set<SendQueue<string>>();

  /** Gives the way to leave. */
  join(link: Link): () => void {
    const queue = new SendQueue<string>(link, setImmediate);
    this.#queues.add(queue);
    // what comes is of WorkerBus: no other speaks on this link
    link.listen((texts) => this.#pass(queue, texts as readonly string[]));
    return () => void this.#queues.delete(queue);
  }

  #pass(from: SendQueue<string>, texts: readonly string[]): void {
    for (const queue of this.#queues) {
      if (queue === from) continue;
      for (const text of texts) if (queue.waitingBytes < MAX_WAITING_BYTES) queue.add(text, text.length);
    }
  }
}
