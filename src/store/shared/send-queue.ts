/** One end of a way between two processes of ours: what is sent arrives whole and in order, while both are there. */
export interface Link {
  /**
   * Sends to the other end. Calls `sent` later, when this process holds nothing of it any more, whether it went or the
   * other end is gone.
   */
  send(items: readonly unknown[], sent: () => void): void;
  /** Calls with what was sent together, from now on. What comes is as this package made it: the other end is trusted. */
  listen(hear: (items: readonly unknown[]) => void): void;
}

/** What goes over a link: all that one turn of the event loop brings goes together, and the next when that is gone. */
export class SendQueue<Item> {
  readonly #link: Link;
  readonly #defer: (run: () => void) => void;
  readonly #sent: () => void;
  #waiting: Item[] = [];
  #waitingBytes = 0;
  #isDue = false;

  /** `defer` runs something at the end of this turn. `sent` hears each time that there is room again. */
  constructor(link: Link, defer: (run: () => void) => void, sent: () => void = () => {}) {
    this.#link = link;
    this.#defer = defer;
    this.#sent = sent;
  }

  /** Of what has not been sent yet, as those who added it have said. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  add(item: Item, bytes = 0): void {
    this.#waiting.push(item);
    this.#waitingBytes += bytes;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#defer(() => this.#send());
  }

  #send(): void {
    const items = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#link.send(items, () => {
      this.#isDue = false;
      this.#sent();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
