import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Teardown } from './spawn.js';

export interface SmallDisk {
  /** A folder on it. */
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives that room back. */
  free(): void;
}

/** A disk of a few megabytes, in memory, which ends with the test. */
export async function smallDisk(t: Teardown, megabytes: number): Promise<SmallDisk> {
  const point = mkdtempSync(join(tmpdir(), 'earshot-disk-'));
  const script = `mount -t tmpfs -o size=${megabytes}m none "$1" && echo mounted && read -r _`;
  const args = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', point];
  const holder = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'close');
  t.teardown(async () => {
    holder.stdin.end(); // it waits for that
    await ended;
    rmSync(point, { recursive: true });
  });
  const said = await Promise.race([once(holder.stdout, 'data').then(String), ended.then(() => 'nothing')]);
  if (said !== 'mounted\n')
    throw new Error(
      'a test needs unshare (of util-linux) and the right to make a user namespace, to mount a disk',
    );
  const path = `/proc/${holder.pid}/root${point}`; // others see it only so
  const ballast = join(path, 'ballast');
  return {
    path,
    fill: () => fill(ballast),
    free: () => unlinkSync(ballast),
  };
}

const BLOCK = Buffer.alloc(64 * 1024);
const SMALL = Buffer.alloc(4096);

function fill(path: string): void {
  for (const block of [BLOCK, SMALL]) while (writes(path, block));
}

function writes(path: string, block: Buffer): boolean {
  try {
    writeFileSync(path, block, { flag: 'a' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
