/** What is wrong with a Redis server, or its address, in one line for who runs this one. */
export class RedisFault extends Error {
  override readonly name = 'RedisFault';

  constructor(where: string, what: string) {
    super(`the store ${where} ${what}`);
  }
}
