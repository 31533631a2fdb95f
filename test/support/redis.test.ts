import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { Cluster, Redis } from 'ioredis';
import type { Test } from 'tap';
import t from 'tap';
import { makeCertificate } from './certificates.js';
import type { RedisServer } from './redis.js';
import { redisCluster, redisSentinel, redisServer } from './redis.js';

t.setTimeout(120_000);

const DURABLE = ['appendonly yes', 'appendfsync always'];

/** Ends with the test; that a connection is lost meanwhile is no error. */
function closing<Client extends Redis | Cluster>(t: Test, client: Client): Client {
  t.teardown(() => client.disconnect());
  client.on('error', () => {});
  return client;
}

t.test('server / through its test → on the loopback alone; then nothing of it is left', async (t) => {
  const left = new Map<number, string>();
  await t.test('its test', async (t) => {
    const [one, two] = await Promise.all([redisServer(t), redisServer(t)]);
    t.not(one.port, two.port);
    t.equal(one.url, `redis://127.0.0.1:${one.port}`);
    t.strictSame(await one.command('CONFIG', 'GET', 'bind'), ['bind', '127.0.0.1']);
    for (const server of [one, two])
      left.set(server.pid, String(await server.command('CONFIG', 'GET', 'dir')));
    two.pause(); // it ends all the same
  });
  for (const [pid, dir] of left) {
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    t.equal(existsSync(dir.replace('dir,', '')), false);
  }
});

t.test('server / stopped or killed → its port refuses, until it is started again', async (t) => {
  const server = await redisServer(t);
  for (const end of [() => server.stop(), () => server.kill()]) {
    const { pid } = server;
    await server.command('SET', 'a', 1);
    await end();
    await t.rejects(server.command('PING'), { code: 'ECONNREFUSED' });
    await server.start();
    t.not(server.pid, pid);
    t.equal(await server.command('GET', 'a'), null, 'it kept nothing on the disk');
  }
});

t.test(
  'server / that keeps what it is told → has it after a kill, and not where it starts empty',
  async (t) => {
    const server = await redisServer(t, { config: DURABLE });
    await server.command('SET', 'a', 1);
    await server.kill();
    await server.start();
    t.equal(await server.command('GET', 'a'), '1');
    await server.stop();
    await server.startEmpty();
    t.equal(await server.command('GET', 'a'), null);
    await server.command('SET', 'b', 2);
    await server.kill();
    await server.start();
    t.equal(await server.command('GET', 'b'), '2', 'as it was configured');
  },
);

t.test('server / paused → takes connections and answers nobody, until it is resumed', async (t) => {
  const server = await redisServer(t);
  const patient = closing(t, new Redis(server.url));
  await patient.set('a', 1);
  const hasty = closing(t, new Redis(server.url, { commandTimeout: 200 }));
  await hasty.ping();
  server.pause();
  const incremented = patient.incr('a');
  await t.rejects(hasty.ping(), { message: 'Command timed out' });
  const socket = connect(server.port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.destroy();
  server.resume();
  t.equal(await incremented, 2);
  t.equal(await server.command('GET', 'a'), '2');
});

t.test('server / a password, users, limits, renamed commands → as configured', async (t) => {
  const password = 'pass word/of "default"';
  const server = await redisServer(t, {
    password,
    config: [
      'user ann on >secret-of-ann ~earshot:* &* +@all',
      'maxmemory 100kb',
      'maxmemory-policy noeviction',
      'rename-command INFO ""',
    ],
  });
  t.equal(await server.command('PING'), 'PONG');
  await t.rejects(server.command('INFO'), { message: /unknown command/ });
  t.equal(await closing(t, new Redis(server.url, { enableReadyCheck: false })).ping(), 'PONG');
  const ann = closing(t, new Redis(server.urlAs('ann', 'secret-of-ann'), { enableReadyCheck: false }));
  await t.rejects(ann.set('other', 1), { message: /^NOPERM/ });
  await t.rejects(ann.set('earshot:a', 1), { message: /^OOM/ });
  const nobody = closing(t, new Redis(server.port, { enableReadyCheck: false }));
  await t.rejects(nobody.ping(), { message: /^NOAUTH/ });
});

t.test('server / with TLS → speaks nothing else', async (t) => {
  const tls = makeCertificate(t);
  const server = await redisServer(t, { tls });
  t.equal(server.url, `rediss://127.0.0.1:${server.port}`);
  t.equal(await server.command('PING'), 'PONG');
  const trusting = closing(t, new Redis(server.url, { tls: { ca: tls.cert } }));
  t.equal(await trusting.ping(), 'PONG');
  const plain = closing(t, new Redis(server.port, { maxRetriesPerRequest: 0 }));
  await t.rejects(plain.ping());
  const strict = closing(t, new Redis(server.url, { maxRetriesPerRequest: 0 }));
  await t.rejects(strict.ping(), 'its certificate is nobody’s');
});

t.test('cluster / three masters → each key is on one of them, and others say where', async (t) => {
  const { url, servers } = await redisCluster(t, { config: DURABLE, password: 'of-the-cluster' });
  const hosts = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  t.equal(url, `redis+cluster://:of-the-cluster@${hosts.map(({ port }) => `127.0.0.1:${port}`).join()}`);
  const options = { redisOptions: { password: 'of-the-cluster' } };
  const client = closing(t, new Cluster([...hosts], options));
  const keys = Array.from({ length: 60 }, (_, at) => `key ${at}`);
  for (const key of keys) t.equal(await client.set(key, key), 'OK');
  for (const key of keys) t.equal(await client.get(key), key);
  const counts = async () => Promise.all(servers.map((server) => server.command('DBSIZE')));
  const before = (await counts()).map(Number);
  t.equal(
    before.reduce((sum, count) => sum + count),
    60,
  );
  t.ok(before.every((count) => count > 0));
  const asked = await Promise.allSettled(servers.map((server) => server.command('GET', 'key 1')));
  const moved = asked.filter(({ status }) => status === 'rejected');
  t.match(moved, [{ reason: /MOVED \d+ 127.0.0.1:\d+/ }, { reason: /MOVED \d+ 127.0.0.1:\d+/ }]);
  const [first] = servers;
  await first?.kill();
  await first?.start();
  await first?.says(/Cluster state changed: ok/);
  t.strictSame((await counts()).map(Number), before);
  for (const key of keys) t.equal(await client.get(key), key, 'it is a member again');
});

t.test('sentinel / the master is killed → the replica takes its place', async (t) => {
  const { url, name, master, replica, sentinel, waitForFailover } = await redisSentinel(t);
  t.equal(url, `redis+sentinel://127.0.0.1:${sentinel.port}/${name}`);
  const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
  const client = closing(t, new Redis({ sentinels, name }));
  await client.set('a', 1);
  t.equal(await client.wait(1, 5000), 1, 'the replica has it');
  const isMaster = async (server: RedisServer) => t.match(await server.command('ROLE'), ['master']);
  await isMaster(master);
  t.match(await replica.command('ROLE'), ['slave', '127.0.0.1', master.port, 'connected']);
  await master.kill();
  await waitForFailover();
  await isMaster(replica);
  t.strictSame(await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name), [
    '127.0.0.1',
    String(replica.port),
  ]);
  t.equal(await client.incr('a'), 2, 'on the new master');
  t.equal(await replica.command('GET', 'a'), '2');
});
