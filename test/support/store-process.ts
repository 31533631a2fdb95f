import { MemoryStore } from '../../src/store/memory/memory-store.js';
import { StoreHost } from '../../src/store/shared/store-host.js';
import type { Said } from './store-processes.js';

// Memory stores in a process of their own, each with a host for one that shares it.
const guests = new Map<number, (said: Said) => void>();

process.on('message', (said: Said) => {
  if (said.kind === 'make') make(said);
  else guests.get(said.store)?.(said);
});

function make({ store, retention, nowMs }: Extract<Said, { kind: 'make' }>): void {
  let now = nowMs;
  const memory = new MemoryStore({ retention: () => retention, now: () => now });
  let hear = (_: readonly unknown[]) => {};
  const end = new StoreHost(memory, setImmediate).serve({
    send: (items, sent) => process.send?.({ kind: 'items', store, items, nowMs: now }, undefined, {}, sent),
    listen: (listener) => {
      hear = listener;
    },
  });
  guests.set(store, (said) => {
    if (said.kind === 'items') {
      now = said.nowMs;
      hear(said.items);
    } else if (said.kind === 'gone') {
      end();
      guests.delete(store);
      void memory.end();
    }
  });
}
