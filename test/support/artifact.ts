import { appendFileSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ARTIFACTS = fileURLToPath(new URL('../../artifacts/', import.meta.url));
const FLUSHED_AT = 64 * 1024;

/** A file of this process under artifacts/, for `npm test` to look through. What is added is on disk when it ends. */
export class Artifact {
  readonly #path: string;
  #pending: string[] = [];
  #length = 0;

  constructor(folder: string) {
    const name = `${basename(process.argv[1] ?? 'none')}-${process.pid}.txt`;
    this.#path = join(ARTIFACTS, folder, name);
    process.once('exit', () => this.flush());
  }

  add(text: string): void {
    this.#pending.push(text);
    this.#length += text.length;
    if (this.#length >= FLUSHED_AT) this.flush();
  }

  flush(): void {
    if (this.#pending.length === 0) return;
    mkdirSync(dirname(this.#path), { recursive: true });
    appendFileSync(this.#path, this.#pending.join(''));
    this.#pending = [];
    this.#length = 0;
  }
}
