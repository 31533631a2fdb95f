import { existsSync } from 'node:fs';
import t from 'tap';
import { parseOffset } from '../../src/protocol/offset.js';
import { AddressError, parseRedisAddress, publicAddress } from '../../src/store/redis/link/address.js';
import { away, isAway } from '../../src/store/redis/link/errors.js';
import { verifyServer } from '../../src/store/redis/link/verify.js';
import { RedisStore } from '../../src/store/redis/redis-store.js';
import { eventually } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import { redisCluster, redisSentinel, redisServer } from '../support/redis.js';
import { RedisDesk } from '../support/redis-desk.js';
import { dataFolder, startServer } from '../support/spawn.js';

t.setTimeout(300_000);

const ALL = { messages: 1e9, bytes: 1e9 };
const AWAY = { name: 'Refused', code: 'unavailable' };
/** Redis answers each append when the disk has it. */
const KEPT = { config: ['appendonly yes', 'appendfsync always'] };
/** What is refused while Redis is away is refused within this time, and what is asked of it after its return is answered within it. */
const REFUSED_WITHIN_MS = 3000;

/** Appends until Redis takes it. */
async function appendSoon(desk: RedisDesk, channel: string, data: unknown): Promise<string> {
  for (;;) {
    try {
      return await desk.append(channel, data);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'unavailable')) throw error;
      await desk.store.ping().catch(() => new Promise((resolve) => setImmediate(resolve)));
    }
  }
}

t.test('two nodes / one appends → the other is told, and reads it at the same offset', async (t) => {
  const { url } = await redisServer(t);
  const [one, other] = [await RedisDesk.open(t, url), await RedisDesk.open(t, url)];
  await other.watch('a');
  const offset = await one.append('a', 'hello');
  await other.hears(/a appended "hello"/);
  const page = await other.store.read('a', '-1', ALL);
  t.equal(page.offset, offset);
  await one.store.close('a');
  await other.hears(/a closed/);
  await one.store.delete('a');
  await other.hears(/a deleted/);
});

t.test('two nodes / many append to one channel at once → one order, without a hole, for all', async (t) => {
  const { url } = await redisServer(t);
  const desks = [await RedisDesk.open(t, url), await RedisDesk.open(t, url), await RedisDesk.open(t, url)];
  for (const desk of desks) await desk.watch('a');
  const all = await Promise.all(
    desks.flatMap((desk, node) =>
      Array.from({ length: 100 }, (_, each) => desk.append('a', `${node} ${each}`)),
    ),
  );
  t.equal(new Set(all).size, 300, 'no offset twice');
  const orders = await Promise.all(desks.map((desk) => desk.data('a')));
  t.equal(orders[0]?.length, 300);
  for (const order of orders) t.same(order, orders[0]);
  for (let node = 0; node < 3; node++) {
    const own = orders[0]?.filter((data) => String(data).startsWith(`${node} `));
    t.same(
      own,
      Array.from({ length: 100 }, (_, each) => `${node} ${each}`),
      'in the order of the calls',
    );
  }
  for (const desk of desks) await desk.hears(/a appended/);
});

t.test(
  'too large to be told / a message of 200 KB → the others are told where the log has moved to',
  async (t) => {
    const { url } = await redisServer(t);
    const [one, other] = [await RedisDesk.open(t, url), await RedisDesk.open(t, url)];
    await other.watch('a');
    const offset = await one.append('a', 'x'.repeat(200_000));
    const moved = await other.hears(/a moved/);
    t.equal(moved, `a moved ${offset.split('_')[0]} 1`);
    t.equal((await other.data('a')).length, 1);
  },
);

t.test('restart / with its data → offsets go on, positions hold, and nobody is told of a loss', async (t) => {
  const server = await redisServer(t, KEPT);
  const desk = await RedisDesk.open(t, server.url);
  await desk.watch('a');
  const first = await desk.append('a', 1);
  await server.kill();
  await desk.hears(/^fault/);
  await t.rejects(desk.append('a', 'nobody there'), AWAY);
  await t.rejects(desk.store.ping(), AWAY);
  await server.start();
  await desk.hears(/recovery/);
  const second = await appendSoon(desk, 'a', 2);
  t.ok(second > first);
  const page = await desk.store.read('a', parseOffset(first), ALL);
  t.match(page, { lost: undefined, messages: [{ data: '2', seq: 2 }] });
  t.same(await desk.data('a'), [1, 2]);
  await desk.hears(/a (appended 2|moved .* 2)/);
});

t.test('restart / without its data → who was there is told that it is another life', async (t) => {
  const server = await redisServer(t);
  const desk = await RedisDesk.open(t, server.url);
  await desk.watch('a');
  const offset = await desk.append('a', 1);
  await server.kill();
  await server.startEmpty();
  await desk.hears(/a moved .* 0/);
  const page = await desk.store.read('a', parseOffset(offset), ALL);
  t.match(page, { lost: 'reset', messages: [], upToDate: true });
  t.ok((await appendSoon(desk, 'a', 2)) > offset, 'a later offset');
});

t.test('restart / with a log that lacks its end → no offset means two messages', async (t) => {
  const server = await redisServer(t, { config: ['appendonly no'] });
  const desk = await RedisDesk.open(t, server.url);
  await desk.watch('a');
  const kept = await desk.append('a', 'kept');
  await server.command('SAVE');
  const lost = await desk.append('a', 'lost');
  await server.kill();
  await server.start();
  await desk.hears(/a moved .* 1$/);
  const page = await desk.store.read('a', parseOffset(lost), ALL);
  t.match(page, { lost: 'reset', seq: 1 }, 'who had more than is left is told');
  const after = await appendSoon(desk, 'a', 'after');
  t.ok(after > lost);
  t.match(await desk.store.read('a', parseOffset(kept), ALL), {
    lost: undefined,
    messages: [{ data: '"after"' }],
  });
  t.match(await desk.store.read('a', parseOffset(lost), ALL), {
    lost: 'reset',
    messages: [{ data: '"after"' }],
  });
});

t.test(
  'pub/sub cut by Redis, under load → the watcher is told of every message, or where to read on',
  async (t) => {
    const server = await redisServer(t);
    const [one, other] = [await RedisDesk.open(t, server.url), await RedisDesk.open(t, server.url)];
    await other.watch('a');
    for (let each = 0; each < 50; each++) {
      if (each % 10 === 5) await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await one.append('a', each);
    }
    await other.hears(/a (appended 49|moved .* 50)/);
    t.equal((await other.data('a')).length, 50);
  },
);

t.test('pub/sub cut by Redis / more is to be told than it may hold → where to read on', async (t) => {
  const server = await redisServer(t);
  const [one, other] = [await RedisDesk.open(t, server.url), await RedisDesk.open(t, server.url)];
  await other.watch('a');
  await one.append('a', 1);
  await other.hears(/a appended 1/);
  await server.command('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 20kb 20kb 1');
  await one.append('a', 'x'.repeat(50_000)); // small enough to be told, larger than what may wait for who hears it
  await server.says(/scheduled to be closed ASAP for overcoming of output buffer limits/);
  await other.hears(/a moved .* 2/);
  await server.command('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60');
  await one.append('a', 3);
  await other.hears(/a (appended 3|moved .* 3)/);
  t.equal((await other.data('a')).length, 3);
});

t.test(
  'quiet channels / looked at → by GET alone, until it is time to note that they are used',
  async (t) => {
    const server = await redisServer(t);
    let nowMs = Date.now();
    await (await RedisDesk.open(t, server.url)).store.sweep(); // the upkeep is this one's for 5 s
    const desk = await RedisDesk.open(t, server.url, { now: () => nowMs, identityMs: 24_000 });
    for (let each = 0; each < 40; each++) {
      await desk.watch(`quiet/${each}`);
      await desk.store.open(`quiet/${each}`);
    }
    const calls = async (name: string) => {
      const stats = String(await server.command('INFO', 'commandstats'));
      return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    };
    const seconds = async (count: number) => {
      const before = [await calls('evalsha'), await calls('get')] as const;
      for (let second = 0; second < count; second++) await desk.store.sweep();
      return [(await calls('evalsha')) - before[0], (await calls('get')) - before[1]] as const;
    };
    await seconds(60); // nobody was told that they were opened: that is found out first
    const [scripts, glances] = await seconds(25);
    t.equal(scripts, 0);
    t.ok(glances >= 40, `${glances}, of 40 channels`);
    nowMs += 1500;
    t.equal((await seconds(25))[0], 40, 'each is noted as used');
    t.equal((await seconds(25))[0], 0);
  },
);

t.test('pub/sub that has lost what was said → found by looking', async (t) => {
  const server = await redisServer(t);
  const [one, other] = [await RedisDesk.open(t, server.url), await RedisDesk.open(t, server.url)];
  await other.watch('quiet');
  const [topic] = (await server.command('PUBSUB', 'SHARDCHANNELS', '*quiet*')) as string[];
  t.ok(topic);
  await one.append('quiet', 1);
  await other.hears(/quiet appended 1/);
  // as if an announcement had been lost: the log goes on, and nobody says so
  const state = JSON.parse(String(await server.command('GET', 'earshot:c:{quiet}')));
  await server.command(
    'XADD',
    'earshot:c:{quiet}:messages',
    '2-0',
    'at',
    state.lastAt,
    'before',
    state.tailBytes,
    'from',
    'eve',
    'text',
    '2',
  );
  await server.command(
    'SET',
    'earshot:c:{quiet}',
    JSON.stringify({ ...state, tail: 2, tailBytes: state.tailBytes + 4 }),
  );
  for (let seconds = 0; seconds < 22; seconds++) await other.store.sweep();
  await other.hears(/quiet moved .* 2/);
  t.same(await other.data('quiet'), [1, 2]);
});

t.test(
  'silent / Redis is held up → refused within 3 s, in bounded memory; all goes on within 5 s after it',
  async (t) => {
    const server = await redisServer(t);
    const desk = await RedisDesk.open(t, server.url);
    await desk.watch('a');
    await desk.append('a', 1);
    server.pause();
    const beganAt = performance.now();
    await t.rejects(desk.append('a', 'held up'), AWAY);
    t.ok(performance.now() - beganAt < REFUSED_WITHIN_MS, `${performance.now() - beganAt} ms`);
    const full = Array.from({ length: 100 }, () => desk.append('a', 'x'.repeat(1024 * 1024)));
    for (const each of await Promise.allSettled(full)) t.match(each, { status: 'rejected', reason: AWAY });
    const resumedAt = performance.now();
    server.resume();
    await desk.hears(/recovery/);
    await appendSoon(desk, 'a', 2);
    t.ok(performance.now() - resumedAt < 5000, `${performance.now() - resumedAt} ms`);
    await desk.hears(/a (appended 2|moved)/);
  },
);

t.test(
  'full / maxmemory is reached → unavailable; what is there is read, and it goes on when there is room',
  async (t) => {
    const server = await redisServer(t);
    const desk = await RedisDesk.open(t, server.url, {
      retention: () => ({ messages: 100, ageMs: 1e9, bytes: 1e9 }),
    });
    for (let each = 0; each < 300; each++) await desk.append('a', each);
    await server.command('CONFIG', 'SET', 'maxmemory', '1mb');
    await t.rejects(desk.append('a', 'no room'), { ...AWAY, message: 'the store is full' });
    await desk.hears(/^fault OOM/);
    t.equal((await desk.data('a')).length, 100);
    t.equal((await desk.data('a')).at(-1), 299);
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    await desk.append('a', 'room');
    const data = await desk.data('a');
    t.same(data.slice(-2), [299, 'room'], 'nothing that was refused is there');
  },
);

t.test('told that it can not / for now → unavailable, and what stands in the way in words', async (t) => {
  const server = await redisServer(t);
  const desk = await RedisDesk.open(t, server.url);
  const cases = [
    ['CONFIG SET maxmemory 1', 'the store is full', 'CONFIG SET maxmemory 0'],
    [
      'CONFIG SET min-replicas-to-write 1',
      'the store has too few replicas',
      'CONFIG SET min-replicas-to-write 0',
    ],
    ['REPLICAOF 127.0.0.1 1', 'the store is a replica that takes nothing', 'REPLICAOF NO ONE'],
    [
      'ACL SETUSER default -evalsha',
      'the store does not let this server do that',
      'ACL SETUSER default +evalsha',
    ],
  ] as const;
  const tell = (line: string) => {
    const [name = '', ...args] = line.split(' ');
    return server.command(name, ...args);
  };
  for (const [hinder, message, undo] of cases) {
    await tell(hinder);
    await t.rejects(desk.append('a', 'in vain'), { ...AWAY, message }, hinder);
    await tell(undo);
    await appendSoon(desk, 'a', 'again');
  }
  t.notOk((await desk.data('a')).includes('in vain'));
});

t.test('told that it can not / in every way of Redis → words of its own, or no refusal at all', (t) => {
  const reply = (text: string) => Object.assign(new Error(text), { name: 'ReplyError' });
  const told = [
    [
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
      /disk/,
    ],
    ['LOADING Redis is loading the dataset in memory', /reading what it has kept/],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', /busy/],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", /lost its master/],
    ['CLUSTERDOWN The cluster is down', /cluster .* is down/],
    ['TRYAGAIN Multiple keys request during rehashing of slot', /moving/],
    ['NOAUTH Authentication required.', /not let this server in/],
    ['ERR max number of clients reached', /no more connections/],
  ] as const;
  for (const [text, words] of told) t.match(away(reply(text)), { code: 'unavailable', message: words }, text);
  t.match(away(new Error('connect ECONNREFUSED')), { message: 'the store does not answer' });
  t.equal(isAway(reply('ERR wrong number of arguments')), false);
  t.equal(isAway(reply('BUSYGROUP Consumer Group name already exists')), false);
  t.equal(isAway('OOM'), false);
  t.end();
});

t.test(
  'sentinel / its master is killed → found at the other one, and no offset means two messages',
  async (t) => {
    const { url, master, waitForFailover } = await redisSentinel(t);
    const desk = await RedisDesk.open(t, url);
    await desk.watch('a');
    const offsets = [await desk.append('a', 1)];
    await master.kill();
    await waitForFailover();
    offsets.push(await appendSoon(desk, 'a', 2));
    t.same([...offsets].sort(), offsets);
    t.equal(new Set(offsets).size, 2);
    await desk.hears(/a (appended 2|moved)/);
  },
);

t.test(
  'cluster / a master restarts with its data → its channels go on, the others never noticed',
  async (t) => {
    const { url, servers } = await redisCluster(t, KEPT);
    const desk = await RedisDesk.open(t, url);
    const channels = Array.from({ length: 20 }, (_, each) => `c${each}`);
    for (const channel of channels) await desk.watch(channel);
    for (const channel of channels) await desk.append(channel, 1);
    await servers[1]?.kill();
    await servers[1]?.start();
    for (const channel of channels) await appendSoon(desk, channel, 2);
    for (const channel of channels) {
      t.same(await desk.data(channel), [1, 2]);
      for (let seconds = 0; seconds < 45 && !desk.told.some((sign) => isTold(sign, channel)); seconds++)
        await desk.store.sweep();
      await desk.hears(new RegExp(`^${channel} (appended 2|moved .* 2)`));
    }
  },
);

function isTold(sign: string, channel: string): boolean {
  return sign.startsWith(`${channel} appended 2`) || new RegExp(`^${channel} moved .* 2$`).test(sign);
}

t.test(
  'let in / by TLS and a user of its own → served; a certificate that nobody vouches for is not',
  async (t) => {
    const certificate = makeCertificate(t);
    const users = ['user default off', 'user ann on >secret-of-ann ~earshot:* &earshot:* +@all'];
    const server = await redisServer(t, { tls: certificate, config: users });
    const url = server.urlAs('ann', 'secret-of-ann');
    const fault = await RedisStore.open({ address: parseRedisAddress(url) }).catch((error: Error) => error);
    t.match(fault, { name: 'RedisFault', message: /can't be reached: .*certificate/i });
    const env = {
      EARSHOT_STORE: url,
      EARSHOT_DATA: dataFolder(t),
      NODE_EXTRA_CA_CERTS: certificate.certFile,
    };
    const node = await startServer(t, { env });
    const posted = await fetch(`${node.url}/v1/stream/lobby`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '"hello"',
    });
    t.equal(posted.status, 204);
    t.same(await (await fetch(`${node.url}/v1/stream/lobby?offset=-1`)).json(), ['hello']);
    t.equal((await node.stop()).code, 0);
    t.notMatch(node.stdout() + node.stderr(), 'secret-of-ann');
    t.match(node.stdout(), /"data is not used \(env EARSHOT_DATA\): it is of the store lmdb/);
    t.notOk(existsSync(env.EARSHOT_DATA), 'no folder is made');
  },
);

t.test('start / what can not be served with → one line, and no password in it', async (t) => {
  const server = await redisServer(t, {
    password: 'the-right-one',
    config: ['user bob on >secret-of-bob ~other:* &* +@all', 'maxmemory 100mb'],
  });
  const rejected = async (url: string, line: RegExp) => {
    const fault = await RedisStore.open({ address: parseRedisAddress(url) }).catch((error: Error) => error);
    t.match(fault, { name: 'RedisFault', message: line });
    t.notMatch(String(fault), /secret|the-right-one|wrong-one/);
    t.notMatch(String(fault), /\n/);
  };
  await rejected(server.urlAs('', 'wrong-one'), /can't be reached: WRONGPASS/);
  await rejected(`redis://127.0.0.1:${server.port}`, /NOAUTH/);
  await rejected(server.urlAs('bob', 'secret-of-bob'), /can't be used: NOPERM/);
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await rejected(server.url, /evicts messages when it is full: set its maxmemory-policy to noeviction/);
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  await server.command('SET', 'earshot:format', '2');
  await rejected(server.url, /was written in format 2, and this version reads format 1/);
  await rejected('redis://127.0.0.1:1', /can't be reached: .*ECONNREFUSED/);
});

t.test('verify / by what a server says of itself', async (t) => {
  const warned: string[] = [];
  const verify = (...lines: string[]) =>
    verifyServer('redis://h:6379', lines.join('\r\n'), (text) => warned.push(text));
  const good = [
    'redis_version:7.0.15',
    'role:master',
    'maxmemory:0',
    'maxmemory_policy:noeviction',
    'aof_enabled:1',
  ];
  verify(...good);
  verify(...good, 'valkey_version:8.1.0');
  verify('redis_version:7.2.4', 'valkey_version:9.0.0', 'role:master');
  t.same(warned, []);
  t.throws(
    () => verify('redis_version:6.2.14', ...good.slice(1)),
    /is Redis 6\.2\.14: it has to be Redis 7\.0/,
  );
  t.throws(() => verify('no such thing'), /is Redis unknown/);
  t.throws(() => verify('redis_version:8.0.0', 'role:slave'), /is a replica/);
  t.throws(
    () => verify('redis_version:8.0.0', 'maxmemory:1', 'maxmemory_policy:allkeys-lfu'),
    /it is allkeys-lfu/,
  );
  verify('redis_version:8.0.0', 'maxmemory:0', 'maxmemory_policy:allkeys-lfu');
  verify('redis_version:8.0.0', 'aof_enabled:0');
  t.match(warned, [/keeps no append-only file/]);
});

t.test('address / every form → what it says; shown without the password', async (t) => {
  const base = {
    kind: 'server',
    user: undefined,
    password: undefined,
    tls: false,
    db: 0,
    prefix: 'earshot',
    master: '',
  };
  const forms: Record<string, object> = {
    'redis://h': { ...base, hosts: [{ host: 'h', port: 6379 }] },
    'redis://h:1/2?prefix=chat': { ...base, hosts: [{ host: 'h', port: 1 }], db: 2, prefix: 'chat' },
    'valkeys://ann:p%40ss@h': { ...base, tls: true, user: 'ann', password: 'p@ss' },
    'rediss://:pass@[::1]:7': { ...base, tls: true, password: 'pass', hosts: [{ host: '::1', port: 7 }] },
    'redis+sentinel://a,b:1/main/3': {
      ...base,
      kind: 'sentinel',
      master: 'main',
      db: 3,
      hosts: [{ port: 26_379 }, { port: 1 }],
    },
    'redis+cluster://a:1,b:2': {
      ...base,
      kind: 'cluster',
      hosts: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    },
  };
  for (const [text, parts] of Object.entries(forms)) t.match(parseRedisAddress(text), parts, text);
  t.equal(publicAddress(parseRedisAddress('rediss://ann:pass@[::1]:7/2')), 'rediss://[::1]:7/2');
  t.equal(
    publicAddress(parseRedisAddress('redis+sentinel://a,b:1/main')),
    'redis+sentinel://a:26379,b:1/main',
  );
  const bad = ['redis://', 'redis://h:0', 'redis://h:99999', 'redis://h/x', 'redis://h/1/2', 'redis://a,b'];
  bad.push(
    'redis+sentinel://a',
    'redis+cluster://a/1',
    'redis://h?db=1',
    'redis://h?prefix=',
    'redis://h?prefix=a:b',
  );
  bad.push('redis://u:%ZZ@h', 'redis://h x', 'redis+sentinel://a/m/1/2');
  for (const text of bad) t.throws(() => parseRedisAddress(text), AddressError, text);
});

t.test('forged / what is none of ours → told as a fault, and the others are served', async (t) => {
  const server = await redisServer(t);
  const desk = await RedisDesk.open(t, server.url);
  await desk.watch('a');
  await desk.append('a', 1);
  const forged = [
    '',
    '{}',
    'x\n',
    '{"epoch":"1"}\n',
    '{"epoch":"0mywpiww0q9","tail":9,"at":1,"sizes":[[1,"text",5,0]]}\nx{bad',
  ];
  for (const text of forged) await server.command('SPUBLISH', 'earshot:c:{a}', text);
  await server.command('SPUBLISH', 'earshot:bus', '{"no":"news"}');
  await desk.append('a', 2);
  await desk.hears(/a appended 2/);
  await desk.hears(/^fault channel a: Redis holds something that is none of ours/);
  await desk.append('b', 1);
  await server.command(
    'XADD',
    'earshot:c:{b}:messages',
    '2-0',
    'at',
    '1',
    'before',
    '4',
    'from',
    'eve',
    'text',
    '{bad',
  );
  const state = JSON.parse(String(await server.command('GET', 'earshot:c:{b}')));
  await server.command('SET', 'earshot:c:{b}', JSON.stringify({ ...state, tail: 2 }));
  await t.rejects(desk.data('b'), { name: 'BadReply' });
  t.same(await desk.data('a'), [1, 2]);
});

t.test(
  'forged / the state of one of many channels → a fault, and all others are heard again after a cut',
  async (t) => {
    const server = await redisServer(t);
    const [one, other] = [await RedisDesk.open(t, server.url), await RedisDesk.open(t, server.url)];
    const channels = Array.from({ length: 450 }, (_, at) => `many/${at}`);
    for (const channel of channels) await other.watch(channel);
    await server.command('SET', 'earshot:c:{many/0}', '{no state');
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await other.hears(/^fault .*/);
    await eventually('that all are heard', async () => {
      const heard = await server.command('PUBSUB', 'SHARDCHANNELS', '*many/*');
      return Array.isArray(heard) && heard.length === channels.length;
    });
    await one.append('many/449', 'hello');
    await other.hears(/many\/449 appended "hello"/);
  },
);
