import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { CommandError } from './failure.js';

/** What a command reads and writes. */
export interface Io {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** That of this process. Nobody reads stdout any more, as after `| head -1`: nothing is left to do, and nothing has failed. */
export function ioOfProcess(): Io {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  return {
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
  };
}

/** What a command has found out: a line on stdout. */
export function print({ stdout }: Io, line: string): void {
  stdout(`${line}\n`);
}

/** As JSON, a line each. What is left of control characters is escaped: it may come from anybody, and a terminal obeys them. */
export function printJson(io: Io, value: unknown): void {
  print(io, JSON.stringify(value).replace(/\p{Cc}/gu, escaped));
}

/** Words for whoever watches: a line on stderr. */
export function say({ stderr }: Io, line: string): void {
  stderr(`earshot: ${line.replace(/\p{Cc}+/gu, ' ')}\n`);
}

/** All of stdin. */
export async function readStdin({ stdin }: Io): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of stdin.setEncoding('utf8')) chunks.push(String(chunk));
  return chunks.join('');
}

/** What a file holds, without the end of its last line. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw CommandError.wrong(`${file} can't be read (${code})`);
  }
}

/** Lines in columns, two blanks between them. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const padded = (row: readonly string[]) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)));
  return rows.map((row) => padded(row).join('  ')).join('\n');
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
