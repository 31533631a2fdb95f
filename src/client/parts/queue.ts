import { EarshotError } from '../errors.js';

/** A bounded buffer that is read as an iterator. What it holds is read first; then it ends, or throws. */
export class Queue<T> implements AsyncIterableIterator<T> {
  readonly #max: number;
  readonly #onReturn: () => void;
  #items: T[] = [];
  #ended = false;
  #error: EarshotError | undefined;
  #readers: { resolve(result: IteratorResult<T>): void; reject(error: EarshotError): void }[] = [];

  constructor(max: number, onReturn: () => void) {
    this.#max = max;
    this.#onReturn = onReturn;
  }

  push(item: T): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader) reader.resolve({ value: item, done: false });
    else if (this.#items.length < this.#max) this.#items.push(item);
    else this.end(new EarshotError('overflow', `more than ${this.#max} messages waited to be read`));
  }

  end(error?: EarshotError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    const readers = this.#readers;
    this.#readers = [];
    for (const reader of readers) this.next().then(reader.resolve, reader.reject);
    this.#onReturn();
  }

  async next(): Promise<IteratorResult<T>> {
    if (this.#items.length > 0) return { value: this.#items.shift() as T, done: false }; // there is one
    if (!this.#ended) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    const error = this.#error;
    this.#error = undefined;
    if (error) throw error;
    return { value: undefined, done: true };
  }

  async return(): Promise<IteratorResult<T>> {
    this.#items = [];
    this.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
