import { randomUUID } from 'node:crypto';
import t from 'tap';
import { parseRedisAddress } from '../../src/store/redis/link/address.js';
import { RedisStore } from '../../src/store/redis/redis-store.js';
import { boundsContract } from '../contract/bounds.js';
import { storeContract } from '../contract/store.js';
import { redisCluster, redisServer } from '../support/redis.js';

t.setTimeout(300_000);

/** A store of its own in a Redis. */
const address = (url: string) => parseRedisAddress(`${url}?prefix=${randomUUID()}`);

t.test('RedisStore / the contract of every store', async (t) => {
  const { url } = await redisServer(t);
  storeContract(t, ({ retention, now }) =>
    RedisStore.open({ address: address(url), retention: () => retention, now }),
  );
});

t.test('RedisStore / at its bounds', async (t) => {
  const { url } = await redisServer(t);
  boundsContract(t, ({ maxBytes: _, ...options }) => RedisStore.open({ address: address(url), ...options }), {
    hasRoomOfItsOwn: false,
  });
});

t.test('RedisStore / in a cluster of three masters → the contract of every store', async (t) => {
  const { url } = await redisCluster(t);
  storeContract(t, ({ retention, now }) =>
    RedisStore.open({ address: address(url), retention: () => retention, now }),
  );
});
