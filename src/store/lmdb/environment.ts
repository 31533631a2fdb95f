import type { Database, RootDatabase } from 'lmdb';
import { open } from 'lmdb';
import type { LogState } from '../log/log-state.js';
import type { ProducerState } from '../log/producers.js';
import type { Totals } from '../log/totals.js';
import type { EntryRecord } from './entry-record.js';

/** A log as it is written down. */
export interface LogRecord {
  /** Of this life of the channel: what its messages and producers stand under. */
  readonly id: number;
  /** Up to where the messages have been taken out of the file; what follows is kept, or is still to be taken out. */
  readonly cutSeq: number;
  readonly state: LogState;
}

export interface StoredTotals extends Totals {
  /** The id that was given last. */
  lastId: number;
  /** The epoch that logs go on in since their end may have been lost; none where that never was. */
  tear?: string | undefined;
}

/** What a log that is no more has left in the file. */
export interface Leftover {
  readonly cutSeq: number;
  readonly tailSeq: number;
}

/** The tables of the file, by their keys. */
export interface Environment {
  readonly root: RootDatabase;
  readonly channels: Database<LogRecord, string>;
  /** Names of channels that nobody has made or written to. */
  readonly blank: Database<true, string>;
  /** By log and number. */
  readonly messages: Database<EntryRecord, [number, number]>;
  /** By log and name. */
  readonly producers: Database<ProducerState, [number, string]>;
  readonly leftovers: Database<Leftover, number>;
  readonly totals: Database<StoredTotals, 'totals'>;
  readonly owners: Database<string, 'owner'>;
}

export interface EnvironmentOptions {
  /** The folder. */
  readonly path: string;
  /** True: a commit is over when the disk has it. */
  readonly fsync: boolean;
  readonly readOnly?: boolean;
}

/** Opens the file in a folder, which is made where it isn't there. */
export function openEnvironment({ path, fsync, readOnly = false }: EnvironmentOptions): Environment {
  const root = open({
    path,
    noSubdir: false,
    maxDbs: 8,
    readOnly,
    // With it, a commit that fails rejects a promise that nobody can get hold of, which ends the process.
    eventTurnBatching: false,
    ...(fsync && { overlappingSync: false }),
  });
  return {
    root,
    channels: root.openDB({ name: 'channels' }),
    blank: root.openDB({ name: 'blank' }),
    messages: root.openDB({ name: 'messages' }),
    producers: root.openDB({ name: 'producers' }),
    leftovers: root.openDB({ name: 'leftovers' }),
    totals: root.openDB({ name: 'totals' }),
    owners: root.openDB({ name: 'owners' }),
  };
}
