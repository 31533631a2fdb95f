/** What is wrong with a Redis server, or its address, in one line for who runs this one. */
export class RedisFault extends Error {
  override readonly name = 'RedisFault';

  constructor(where: string, what: string) {
    super(`the store ${where} ${what}`);
  }
}

/** What is wrong with one channel, in the words of whoever found it. */
export class ChannelFault extends Error {
  override readonly name = 'ChannelFault';

  constructor(channel: string, cause: Error) {
    super(`channel ${channel}: ${cause.message}`, { cause });
  }
}
