import { mkdir, readdir } from 'node:fs/promises';
import { openEnvironment } from '../environment.js';
import { FolderFault } from './fault.js';
import { DATA_FILE, readMarker, stampOf, writeMarker } from './marker.js';

/**
 * Copies a data folder into another one, as it is at this moment; a server may go on with it meanwhile. The copy is as
 * small as it can be. A server on the copy begins new epochs, since the original may have gone on. Throws
 * `FolderFault` where there is no data, and where the other folder has something in it.
 */
export async function backUp(path: string, to: string): Promise<void> {
  if ((await readMarker(path)) === undefined || (await stampOf(path)) === undefined)
    throw new FolderFault(path, 'has no data of Earshot in it');
  await mkdir(to, { recursive: true, mode: 0o700 });
  if ((await readdir(to)).length > 0)
    throw new FolderFault(to, 'is not empty: a backup is not written over anything');
  const { root } = openEnvironment({ path, fsync: false, readOnly: true });
  try {
    await root.backup(to, true);
  } finally {
    await root.close();
  }
  const copied = await stampOf(to);
  if (copied === undefined) throw new FolderFault(to, `was left without ${DATA_FILE}`);
  await writeMarker(to, { clean: { ...copied, inode: NOT_THE_ONE_THAT_WAS_SERVED } });
}

const NOT_THE_ONE_THAT_WAS_SERVED = '';
