import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { SharedStore } from '../../src/store/shared/shared-store.js';
import type { Retention } from '../../src/store/store.js';

/** What a process with stores and the one that shares them say to each other; the clock goes with it. */
export type Said =
  | { readonly kind: 'make'; readonly store: number; readonly retention: Retention; readonly nowMs: number }
  | {
      readonly kind: 'items';
      readonly store: number;
      readonly items: readonly unknown[];
      readonly nowMs: number;
    }
  | { readonly kind: 'gone'; readonly store: number };

const PROCESS = fileURLToPath(new URL('store-process.ts', import.meta.url));

interface Parts {
  readonly retention: Retention;
  readonly now: () => number;
}

/** A process with memory stores in it, which ends with the test; what is given makes one more and shares it. */
export function storeProcess(t: Test): (parts: Parts) => SharedStore {
  const child = fork(PROCESS, { serialization: 'advanced' });
  t.teardown(async () => {
    child.kill();
    await once(child, 'exit');
  });
  child.setMaxListeners(0);
  let stores = 0;
  return (parts) => new RemoteStore(child, ++stores, parts);
}

class RemoteStore extends SharedStore {
  readonly #leave: () => Promise<void>;

  constructor(child: ChildProcess, store: number, { retention, now }: Parts) {
    const say = (said: Said) => void child.send(said);
    say({ kind: 'make', store, retention, nowMs: now() });
    let listener = (_: Said) => {};
    super(
      {
        send: (items, sent) => {
          say({ kind: 'items', store, items, nowMs: now() });
          sent();
        },
        listen: (hear) => {
          listener = (said) => {
            if (said.kind === 'items' && said.store === store) hear(said.items);
          };
          child.on('message', listener);
        },
      },
      (run) => run(), // each at once: with the time at which it was asked
    );
    this.#leave = async () => {
      child.off('message', listener);
      say({ kind: 'gone', store });
    };
  }

  override async end(): Promise<void> {
    await super.end();
    await this.#leave();
  }
}
