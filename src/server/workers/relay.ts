import type { Link } from '../../store/shared/outbox.js';
import { Outbox } from '../../store/shared/outbox.js';

/** Waiting for one worker; beyond that what is said to it is lost, as a bus may lose it. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Passes on what one worker says on the bus to all the others. */
export class Relay {
  readonly #outboxes = new Set<Outbox<string>>();

  /** Gives the way to leave. */
  join(link: Link): () => void {
    const outbox = new Outbox<string>(link, setImmediate);
    this.#outboxes.add(outbox);
    // what comes is of WorkerBus: no other speaks on this link
    link.listen((texts) => this.#pass(outbox, texts as readonly string[]));
    return () => void this.#outboxes.delete(outbox);
  }

  #pass(from: Outbox<string>, texts: readonly string[]): void {
    for (const outbox of this.#outboxes) {
      if (outbox === from) continue;
      for (const text of texts) if (outbox.waitingBytes < MAX_WAITING_BYTES) outbox.add(text, text.length);
    }
  }
}
