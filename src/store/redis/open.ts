import { setTimeout as wait } from 'node:timers/promises';
import type { RedisAddress } from './link/address.js';
import { publicAddress } from './link/address.js';
import type { ConnectionEvents } from './link/connection.js';
import { Connection } from './link/connection.js';
import { RedisFault } from './link/fault.js';
import { Keys } from './link/keys.js';
import type { Warn } from './link/verify.js';
import { verifyServer } from './link/verify.js';

/** How what is in Redis is written. A later version is not read by this one. */
const FORMAT = '1';
/** A Redis that is being started together with this process comes within that time. */
const START_MS = 5000;
const PAUSE_MS = 250;
/** Another try makes it no better. */
const FINAL =
  /\b(WRONGPASS|NOAUTH|NOPERM|NOPROTO)\b|invalid (password|username)|ERR AUTH|certificate|self.signed|ENOTFOUND|EPROTO|wrong version number/i;

/** Connects, and looks whether it is a Redis that can be served with. Throws a RedisFault, with a line for who runs the server. */
export async function connect(
  address: RedisAddress,
  { events, warn }: { readonly events: ConnectionEvents; readonly warn: Warn },
): Promise<Connection> {
  const where = publicAddress(address);
  const connection = await connectWithin(address, where, events);
  try {
    for (const info of await connection.info()) verifyServer(where, info, warn);
    await claim(connection, new Keys(address), where);
    return connection;
  } catch (error) {
    connection.end();
    throw error instanceof RedisFault ? error : new RedisFault(where, `can't be used: ${reasonOf(error)}`);
  }
}

async function connectWithin(
  address: RedisAddress,
  where: string,
  events: ConnectionEvents,
): Promise<Connection> {
  const until = performance.now() + START_MS;
  for (;;) {
    try {
      return await Connection.open(address, events);
    } catch (error) {
      const reason = reasonOf(error);
      if (FINAL.test(reason) || performance.now() + PAUSE_MS > until)
        throw new RedisFault(where, `can't be reached: ${reason}`);
      await wait(PAUSE_MS);
    }
  }
}

async function claim(connection: Connection, keys: Keys, where: string): Promise<void> {
  await connection.ask('set', keys.format, FORMAT, 'NX');
  const format = await connection.ask('get', keys.format);
  if (format !== FORMAT)
    throw new RedisFault(
      where,
      `was written in format ${String(format)}, and this version reads format ${FORMAT}`,
    );
}

/** In a few words. An error of several attempts has them within. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const reason = error instanceof Error ? error.message || error.name : String(error);
  return reason.replace(/\s+/g, ' ');
}
