import { execFile } from 'node:child_process';
import { access, constants, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Environment } from '../environment.js';
import { openEnvironment } from '../environment.js';
import { FolderFault } from './fault.js';
import { isFull } from './free-space.js';
import type { Marker, Stamp } from './marker.js';
import { bootId, DATA_FILE, readMarker, stampOf, writeMarker } from './marker.js';
import { Owner, refuseIfInUse } from './owner.js';

/** What the library writes at once, and is ended by the system where there is no room for it. */
const ROOM_TO_OPEN_BYTES = 1024 * 1024;

export interface FolderOptions {
  readonly path: string;
  readonly fsync: boolean;
  /** The machine has ended since the folder was served, or it is a copy: its logs may have had more. */
  tear(tables: Environment): void;
}

/** A data folder that this process has. */
export class Folder {
  readonly path: string;
  readonly tables: Environment;
  readonly #owner: Owner;

  private constructor(path: string, tables: Environment, owner: Owner) {
    this.path = path;
    this.tables = tables;
    this.#owner = owner;
  }

  /** Throws `FolderFault` where the folder can't be had, with all that is in it left as it is. */
  static async open(options: FolderOptions): Promise<Folder> {
    const { path } = options;
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
      const marker = await readMarker(path);
      await refuseIfInUse(path);
      const stamp = await stampOf(path);
      await verify(path, marker, stamp);
      if (await isFull(path, ROOM_TO_OPEN_BYTES))
        throw new FolderFault(path, 'cannot be used: the disk is full');
      const isTorn = stamp !== undefined && !(await isAsLeft(marker, stamp));
      return await Folder.#take(options, isTorn);
    } catch (error) {
      if (error instanceof FolderFault) throw error;
      throw new FolderFault(path, `cannot be used: ${reasonOf(error)}`);
    }
  }

  static async #take({ path, fsync, tear }: FolderOptions, isTorn: boolean): Promise<Folder> {
    const owner = await Owner.listen(path);
    let tables: Environment | undefined;
    try {
      tables = openEnvironment({ path, fsync });
      await owner.claim(tables);
      tables.root.readerCheck(); // a process that was killed amid a read would keep its pages for ever
      if (isTorn) tear(tables);
      await writeMarker(path, await thisRun(path));
      return new Folder(path, tables, owner);
    } catch (error) {
      await tables?.root.close();
      await owner.end();
      throw error;
    }
  }

  /** Leaves it in order. */
  async close(): Promise<void> {
    try {
      await this.tables.root.flushed;
      await this.tables.root.close();
      const clean = await stampOf(this.path);
      await writeMarker(this.path, { ...(clean && { clean }) });
    } finally {
      await this.#owner.end();
    }
  }
}

/** Looks through what was not left in order, or has been changed since. */
async function verify(path: string, marker: Marker | undefined, stamp: Stamp | undefined): Promise<void> {
  if (stamp === undefined || stamp.bytes === 0) {
    if (marker === undefined) return;
    throw new FolderFault(path, `is damaged: ${DATA_FILE} is ${stamp === undefined ? 'not there' : 'empty'}`);
  }
  if (isSame(marker?.clean, stamp)) return;
  const fault = await faultIn(path);
  if (fault !== undefined) throw new FolderFault(path, `is damaged: ${fault}`);
}

function isSame(clean: Stamp | undefined, { bytes, modifiedMs }: Stamp): boolean {
  return clean?.bytes === bytes && clean.modifiedMs === modifiedMs;
}

async function isAsLeft(marker: Marker | undefined, stamp: Stamp): Promise<boolean> {
  const { inode } = stamp;
  if (marker?.clean !== undefined) return isSame(marker.clean, stamp) && marker.clean.inode === inode;
  return marker?.run !== undefined && marker.run.inode === inode && marker.run.boot === (await bootId());
}

async function thisRun(path: string): Promise<Omit<Marker, 'format'>> {
  const [boot, stamp] = await Promise.all([bootId(), stampOf(path)]);
  return boot === undefined || stamp === undefined ? {} : { run: { boot, inode: stamp.inode } };
}

const execFileAsync = promisify(execFile);

async function faultIn(path: string): Promise<string | undefined> {
  const program = fileURLToPath(new URL(`./verify${import.meta.url.slice(-3)}`, import.meta.url));
  const execArgv = process.execArgv.filter((flag) => !flag.startsWith('--inspect'));
  try {
    await execFileAsync(process.execPath, [...execArgv, program, path]);
    return undefined;
  } catch (error) {
    const said = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    return said === '' ? `${DATA_FILE} cannot be read` : said;
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') return 'this user has no permission for it';
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'it is not a folder';
  if (code === 'ENOSPC') return 'the disk is full';
  if (code === 'EROFS') return 'the disk is read-only';
  return error instanceof Error ? error.message : String(error);
}
