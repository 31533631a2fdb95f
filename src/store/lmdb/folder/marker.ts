import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { FolderFault } from './fault.js';

/** Of what is written in a data folder. A folder of a later one is left alone. */
export const FORMAT = 1;
export const DATA_FILE = 'data.mdb';
const MARKER_FILE = 'earshot.json';

/** `inode` is that of the file, which a copy doesn't have. */
const Stamp = z.object({ bytes: z.number(), modifiedMs: z.number(), inode: z.string() });
/** How a file was when it was last written. */
export type Stamp = z.infer<typeof Stamp>;
const Run = z.object({ boot: z.string(), inode: z.string() });
const Marker = z.object({ format: z.int().min(1), clean: Stamp.optional(), run: Run.optional() });
/**
 * What a data folder says of itself. `clean`: how its file was left, where it was left in order; `run`: on which start
 * of the machine it was last served, where it was not.
 */
export type Marker = z.infer<typeof Marker>;

/** Undefined where there is none. Throws `FolderFault` for one that can't be read, or of a later format. */
export async function readMarker(path: string): Promise<Marker | undefined> {
  const text = await readFile(join(path, MARKER_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const marker = Marker.safeParse(jsonOf(text));
  if (!marker.success) throw new FolderFault(path, `is damaged: ${MARKER_FILE} is not what Earshot writes`);
  const { format } = marker.data;
  if (format > FORMAT)
    throw new FolderFault(
      path,
      `was made by a newer version of Earshot: its format is ${format}, and this version reads ${FORMAT}`,
    );
  return marker.data;
}

/** As a whole or not at all. */
export async function writeMarker(path: string, said: Omit<Marker, 'format'>): Promise<void> {
  const marker: Marker = { format: FORMAT, ...said };
  const written = join(path, `${MARKER_FILE}.new`);
  await writeFile(written, `${JSON.stringify(marker)}\n`, { flush: true });
  await rename(written, join(path, MARKER_FILE));
}

/** Undefined where the file isn't there. */
export async function stampOf(path: string): Promise<Stamp | undefined> {
  const found = await stat(join(path, DATA_FILE), { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found && { bytes: Number(found.size), modifiedMs: Number(found.mtimeMs), inode: String(found.ino) };
}

/** Names this start of the machine; undefined where the system doesn't. */
export async function bootId(): Promise<string | undefined> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
  return text?.trim();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema says what is wrong with that
  }
}
