import type { Test } from 'tap';
import type { Retention, Store } from '../../src/store/store.js';
import { appendOptionsContract, batchContract, batchProducerContract } from './batches.js';
import { bytesContract, creationContract } from './creation.js';
import type { MakeDesk } from './desk.js';
import { Desk, KEEP_ALL } from './desk.js';
import { endingContract, watchContract } from './endings.js';
import { existenceContract } from './existence.js';
import { forkCreationContract, forkDeletionContract } from './fork-lives.js';
import { forkContract, forkPlaceContract } from './forks.js';
import { historiesContract } from './histories.js';
import { lifetimeContract, overContract } from './lifetime.js';
import { logContract } from './log.js';
import { modelContract } from './model.js';
import { producerContract } from './producers.js';
import { retentionContract } from './retention.js';

/** What a store under test is given. */
export interface StoreParts {
  /** For every channel. */
  readonly retention: Retention;
  /** The time in ms since 1970. */
  readonly now: () => number;
}
export type MakeStore = (parts: StoreParts) => Store | Promise<Store>;

/**
 * The text of src/store/store.ts as a suite: what every store promises. The test file of a store calls it and
 * adds what is its own: what survives the end of the process, and what bounds it.
 */
export function storeContract(t: Test, makeStore: MakeStore): void {
  const make = async (retention: Partial<Retention> = {}): Promise<Desk> => {
    const clock = { ms: 1_800_000_000_000 };
    const store = await makeStore({ retention: { ...KEEP_ALL, ...retention }, now: () => clock.ms });
    return new Desk(store, clock);
  };
  const desk: MakeDesk = async (t, retention) => {
    const made = await make(retention);
    t.teardown(() => made.store.end());
    return made;
  };
  t.test('append and read', (t) => logContract(t, desk));
  t.test('producers', (t) => producerContract(t, desk));
  t.test('batches', (t) => batchContract(t, desk));
  t.test('batches of producers', (t) => batchProducerContract(t, desk));
  t.test('what an append asks for', (t) => appendOptionsContract(t, desk));
  t.test('creation', (t) => creationContract(t, desk));
  t.test('bytes', (t) => bytesContract(t, desk));
  t.test('lifetime', (t) => lifetimeContract(t, desk));
  t.test('what is over', (t) => overContract(t, desk));
  t.test('forks', (t) => forkContract(t, desk));
  t.test('where forks begin', (t) => forkPlaceContract(t, desk));
  t.test('forks made again', (t) => forkCreationContract(t, desk));
  t.test('forks and deletion', (t) => forkDeletionContract(t, desk));
  t.test('retention', (t) => retentionContract(t, desk));
  t.test('existence', (t) => existenceContract(t, desk));
  t.test('close and delete', (t) => endingContract(t, desk));
  t.test('watch', (t) => watchContract(t, desk));
  t.test('model', (t) => modelContract(t, make));
  t.test('histories', (t) => historiesContract(t, make));
}
