import { readFileSync } from 'node:fs';
import { CommandError } from './failure.js';

/** All of stdin. */
export async function readStdin(): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of process.stdin.setEncoding('utf8')) chunks.push(String(chunk));
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
