import t from 'tap';
import { redisServer } from '../support/redis.js';
import { RedisDesk } from '../support/redis-desk.js';

t.setTimeout(60_000);

const faults = (desk: RedisDesk) => desk.told.filter((sign) => sign.startsWith('fault '));

t.test('a password that is changed, and connections that are cut → why it is away, once', async (t) => {
  const redis = await redisServer(t);
  await redis.command('ACL', 'SETUSER', 'ann', 'on', '>one', '~*', '&*', '+@all');
  const desk = await RedisDesk.open(t, redis.urlAs('ann', 'one'));
  await redis.command('ACL', 'SETUSER', 'ann', 'resetpass', '>other');
  await redis.command('CLIENT', 'KILL', 'USER', 'ann');
  await desk.hears(/WRONGPASS/);
  await t.rejects(desk.append('a', 1), { code: 'unavailable', message: 'the store is away' });
  await redis.command('ACL', 'SETUSER', 'ann', 'resetpass', '>one');
  await desk.hears(/recovery/);
  await desk.append('a', 2);
  const told = faults(desk);
  t.match(told, [/the connection was closed/, /WRONGPASS/]);
  t.equal(new Set(told).size, told.length, 'each reason once');
});

t.test('a Redis that is silent, and many who ask → in one line', async (t) => {
  const redis = await redisServer(t);
  const desk = await RedisDesk.open(t, redis.url);
  redis.pause();
  const asked = Array.from({ length: 20 }, (_, at) => desk.append(`a${at}`, at));
  for (const each of asked) await t.rejects(each, { code: 'unavailable' });
  t.match(faults(desk), [/^fault Socket timeout/]);
  t.equal(faults(desk).length, 1);
  redis.resume();
  await desk.hears(/recovery/);
});

t.test('a state that is none of ours / looked at, written or read → which channel it is', async (t) => {
  const redis = await redisServer(t);
  const desk = await RedisDesk.open(t, redis.url);
  await desk.watch('chat/kitchen');
  await redis.command('SET', 'earshot:c:{chat/kitchen}', '{}');
  for (let look = 0; look < 20; look++) await desk.store.sweep();
  t.match(faults(desk), [/^fault channel chat\/kitchen: /]);
  await redis.command('SET', 'earshot:c:{chat/kitchen}', '{no state');
  const named = { name: 'ChannelFault', message: /^channel chat\/kitchen: ERR / };
  await t.rejects(desk.append('chat/kitchen', 1), named);
  await t.rejects(desk.data('chat/kitchen'), named);
});
