import { setImmediate as turn } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { Link } from '../../src/store/shared/send-queue.js';
import { SharedStore } from '../../src/store/shared/shared-store.js';
import { StoreHost } from '../../src/store/shared/store-host.js';
import type { Store } from '../../src/store/store.js';

/** One end of a link within this process, whose other end may stop taking what it is sent. */
export class LinkEnd implements Link {
  other: LinkEnd | undefined;
  /** What was sent together, as the other end got it. */
  readonly came: (readonly unknown[])[] = [];
  #hear = (_: readonly unknown[]) => {};
  #held: (() => void)[] | undefined;

  send(items: readonly unknown[], sent: () => void): void {
    const copy: readonly unknown[] = deserialize(serialize(items)); // what goes between processes is copied
    const pass = () => {
      this.other?.take(copy);
      sent();
    };
    if (this.#held === undefined) setImmediate(pass);
    else this.#held.push(pass);
  }

  listen(hear: (items: readonly unknown[]) => void): void {
    this.#hear = hear;
  }

  take(items: readonly unknown[]): void {
    this.came.push(items);
    this.#hear(items);
  }

  /** From now on nothing that is sent from here goes; `pass` lets it go again. */
  hold(): void {
    this.#held = [];
  }

  pass(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const each of held) each();
  }
}

/** A store that is shared, with a way to each who shares it. */
export class SharedScene {
  readonly #host: StoreHost;

  constructor(store: Store) {
    this.#host = new StoreHost(store, setImmediate);
  }

  join() {
    const [near, far] = [new LinkEnd(), new LinkEnd()];
    near.other = far;
    far.other = near;
    const leave = this.#host.serve(far);
    return { store: new SharedStore(near, setImmediate), leave, near, far };
  }
}

/** Until what was under way has come, there and back. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 12; turns++) await turn();
}
