import { statfs } from 'node:fs/promises';

/** Whether the disk of a folder has less room than this. */
export async function isFull(path: string, neededBytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize < neededBytes;
}
