import { once } from 'node:events';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Test } from 'tap';
import t from 'tap';
import { pauseMs } from '../../src/server/workers/crew.js';
import { eventually } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import { startChild } from '../support/child.js';
import { builtEarshot, CLEAN, COMMAND, earshot, failsWith } from '../support/command.js';
import { KEY } from '../support/operator.js';
import type { Peer } from '../support/peer.js';
import { peer } from '../support/peer.js';
import { frame, handshake, rawConnect } from '../support/raw-socket.js';
import { dataFolder, startServer } from '../support/spawn.js';
import type { RunningWorkers } from '../support/workers.js';
import { childrenOf, connected, startWorkers } from '../support/workers.js';

// Each server is three processes to start: some 20 s where nothing else runs.
t.setTimeout(300_000);

const SERVE = ['serve', '--dev', '--port', '0', '--workers', '2'];

/** Which of them are still connected. */
function followed(peers: readonly Peer[]): { readonly open: () => readonly Peer[] } {
  const open = new Set(peers);
  for (const each of peers) void each.closed.then(() => open.delete(each));
  return { open: () => [...open] };
}

t.test('two workers / one server through all of it', async (t) => {
  const data = dataFolder(t);
  const server = await startWorkers(t, { args: ['--data', data], env: { EARSHOT_ADMIN_KEY: KEY } });

  await t.test('presence and orders / of one worker → are those of all', async (t) => {
    const peers: Peer[] = [];
    const sessions: string[] = [];
    for (let count = 0; count < 4; count++) {
      const each = await peer(t, server.wsUrl);
      sessions.push((await each.next('welcome')).session);
      await each.call({ type: 'subscribe', channel: 'room', presence: true });
      peers.push(each);
    }
    for (const each of peers)
      await eventually('all four', async () => {
        const answer = await each.call({ type: 'presence', channel: 'room' });
        return answer.type === 'presence' && answer.count === 4;
      });
    t.equal(await server.metric('earshot_channels'), 2, 'they are with two workers');
    const headers = { authorization: `Bearer ${KEY}` };
    for (const session of sessions)
      await fetch(`${server.url}/v1/admin/sessions/${session}`, { method: 'DELETE', headers });
    for (const each of peers) t.match(await each.closed, { code: 4403 });
    t.equal(await server.metric('earshot_neighbours'), 1);
  });

  await t.test('publish / to one worker → readers of all workers have it, in one order', async (t) => {
    const peers = await connected(t, server, 6);
    for (const each of peers) await each.call({ type: 'subscribe', channel: 'a' });
    t.equal(await server.metric('earshot_channels'), 2, 'both workers have readers of it');
    t.equal(await server.metric('earshot_sessions'), 6);
    const numbers = Array.from({ length: 60 }, (_, at) => at);
    await Promise.all(numbers.map((data) => peers[data % 6]?.call({ type: 'publish', channel: 'a', data })));
    const orders = await Promise.all(
      peers.map(async (each) => {
        const offsets: string[] = [];
        while (offsets.length < numbers.length) {
          const { offset } = await each.next('message');
          offsets.push(offset);
        }
        return offsets;
      }),
    );
    for (const offsets of orders) t.same(offsets, [...(orders[0] ?? [])].sort());
    t.equal(await server.metric('earshot_messages_in_total'), 60);
    t.equal(await server.metric('earshot_messages_out_total'), 360);
    t.ok((await server.metric('earshot_command_duration_seconds_count')) >= 66, 'those of both workers');
    for (const each of peers) each.socket.terminate();
  });

  await t.test('a second server on the folder → is refused, as the first one is there', async (t) => {
    const second = await builtEarshot({ args: [...SERVE, '--data', data] });
    failsWith(t, second, 1, new RegExp(`${server.child.pid}`));
  });

  await t.test('kill -9 of a worker → the others go on, another comes, totals do not go back', async (t) => {
    const peers = await connected(t, server, 4);
    for (const each of peers) await each.call({ type: 'subscribe', channel: 'b' });
    for (const each of peers) await each.call({ type: 'publish', channel: 'b', data: 1 });
    t.equal(await server.metric('earshot_messages_in_total'), 64);
    const { open } = followed(peers);
    const [victim = 0, survivor] = server.pids();
    process.kill(victim, 'SIGKILL');
    await eventually('half of the connections lost', () => open().length === 2);
    const [reader, publisher] = open();
    for (let data = 0; data < 5; data++)
      t.match(await publisher?.call({ type: 'publish', channel: 'b', data }), { type: 'published' });
    const log = await reader?.call({ type: 'history', channel: 'b' });
    t.match(log, { type: 'history', messages: { length: 9 } });
    await server.serving(2);
    t.equal(server.pids().includes(victim), false);
    t.equal(server.pids()[0], survivor);
    t.equal(await server.metric('earshot_messages_in_total'), 69, 'what the dead one has counted counts');
    t.equal(await server.metric('earshot_sessions'), 2);
    const again = await connected(t, server, 4);
    for (const each of again) await each.call({ type: 'subscribe', channel: 'b', offset: '-1' });
    t.equal(await server.metric('earshot_channels'), 2, 'the new one serves as well');
    t.match(server.stdout(), `"worker":${victim},"code":null,"signal":"SIGKILL","afterMs":0`);
    for (const each of [...peers, ...again]) each.socket.terminate();
  });

  await t.test(
    'a connection on its way to a worker that is killed → is closed, not left to wait',
    async (t) => {
      const [stuck = 0] = server.pids();
      process.kill(stuck, 'SIGSTOP');
      const sockets = Array.from({ length: 4 }, () => createConnection(server.port, '127.0.0.1'));
      const gone: Socket[] = [];
      for (const socket of sockets) {
        t.teardown(() => socket.destroy());
        socket.on('close', () => gone.push(socket)).on('error', () => {}); // a reset is an end as well
        await once(socket, 'connect');
      }
      await connected(t, server, 2); // the other one serves
      t.equal(gone.length, 0);
      process.kill(stuck, 'SIGKILL');
      await eventually('one that was closed', () => gone.length === 1);
      await server.serving(2);
    },
  );

  await t.test('SIGTERM to a worker → its clients are told, another takes its place', async (t) => {
    const peers = await connected(t, server, 4);
    const { open } = followed(peers);
    const [worker = 0] = server.pids();
    process.kill(worker, 'SIGTERM');
    await eventually('half of them told', () => open().length === 2);
    for (const each of peers.filter((each) => !open().includes(each))) {
      t.match(await each.next('bye'), { code: 'draining', advice: 'retry' });
      t.match(await each.closed, { code: 1012 });
    }
    await eventually('another', () => server.pids().length === 2 && !server.pids().includes(worker));
    await server.serving(2);
    t.equal(open().length, 2, 'the others were left alone');
    for (const each of peers) each.socket.terminate();
  });

  await t.test('SIGTERM to the primary → everybody is told, and it ends with 0', async (t) => {
    const peers = await connected(t, server, 4);
    const ended = server.stop();
    for (const each of peers) {
      t.match(await each.next('bye'), { code: 'draining', advice: 'retry' });
      t.match(await each.closed, { code: 1012 });
    }
    t.strictSame(await ended, { code: 0, signal: null });
    t.equal(server.stderr(), '');
    t.match(server.stdout(), /^Earshot is ready: open \S+\/\nDEVELOPMENT MODE.*\nWhat is published.*\n\{/);
    t.equal(server.stdout().split('Earshot is ready').length, 2, 'said once');
  });
});

t.test('SIGINT / to all processes at once, as a terminal does → ends with 0', async (t) => {
  const env = { EARSHOT_DATA: dataFolder(t), LOG_LEVEL: 'warn' };
  const child = await startChild(t, process.execPath, [COMMAND, ...SERVE], { env, isServer: true });
  const [, url = ''] = await child.says(/ready: open (\S+)\/\n/);
  await child.says(/is kept in/);
  t.equal(childrenOf(child.pid).length, 2);
  t.equal((await fetch(`${url}/readyz`)).status, 200);
  t.strictSame(await child.stop('SIGINT'), { code: 0, signal: null });
  t.notMatch(child.said(), /gone|has ended/);
});

t.test('SIGTERM / while the first worker starts → ends with 0, and nothing is left', async (t) => {
  const env = { EARSHOT_DATA: dataFolder(t), LOG_LEVEL: 'info' };
  const cwd = t.testdir({
    'earshot.config.mjs':
      "import cluster from 'node:cluster'; if (cluster.isWorker) { console.log('a worker'); await new Promise((r) => setTimeout(r, 60_000)); } export default {};",
  });
  const child = await startChild(t, process.execPath, [COMMAND, ...SERVE], { env, cwd, isServer: true });
  await child.says(/a worker/);
  process.kill(child.pid, 'SIGTERM');
  t.strictSame(await child.ended, { code: 0, signal: null });
});

t.test('kill -9 of the primary → no worker is left, the port and the folder are free', async (t) => {
  const data = dataFolder(t);
  const server = await startWorkers(t, { args: ['--data', data] });
  const [client] = await connected(t, server, 1);
  t.match(await server.stop('SIGKILL'), { signal: 'SIGKILL' }); // all that they said has been read: they have ended
  t.match(await client?.closed, { code: 1006 });
  const line = 'earshot: the primary process is gone, and this worker ends\n';
  t.equal(server.stderr(), line.repeat(2));
  const args = ['--dev', '--port', String(server.port), '--data', data];
  const next = await startServer(t, { command: ['serve', ...args] });
  t.equal((await fetch(`${next.url}/readyz`)).status, 200);
});

t.test('start / with what can not be → the same line and code as without workers', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const data = ['--data', dataFolder(t)];
  const inUse = ['--dev', '--workers', '2', '--port', port, ...data];
  failsWith(t, await builtEarshot({ args: inUse }), 1, new RegExp(`^earshot: port ${port} of .* is in use`));
  const nobody = ['--workers', '2', '--port', '0', ...data];
  failsWith(t, await earshot({ args: nobody }), 2, /^earshot: nobody could connect/);
  const env = { EARSHOT_TOKEN_PUBLIC_KEY: 'garbage' };
  const alone = await builtEarshot({ args: ['--port', '0', ...data], env });
  t.equal(alone.code, 2);
  t.strictSame(await builtEarshot({ args: nobody, env }), alone, 'what only a worker finds wrong');
});

t.test('--workers / none, too many, half a one → refused', async (t) => {
  for (const count of ['0', '65', '1.5', 'many'])
    failsWith(
      t,
      await earshot({ args: [...SERVE.slice(0, 4), '--workers', count] }),
      2,
      /^earshot: workers: /,
    );
});

t.test('a worker of some other cluster → can have none, and serves alone', async (t) => {
  const script = `import cluster from 'node:cluster';
if (cluster.isPrimary) {
  cluster.setupPrimary({ exec: ${JSON.stringify(COMMAND)}, args: process.argv.slice(2) });
  cluster.fork().on('exit', (code) => process.exit(code));
  process.on('SIGTERM', () => Object.values(cluster.workers).forEach(({ process }) => process.kill('SIGTERM')));
}`;
  const main = join(t.testdir({ 'main.mjs': script }), 'main.mjs');
  const env = { EARSHOT_DATA: dataFolder(t), LOG_LEVEL: 'warn' };
  const refused = await startChild(t, process.execPath, [main, ...SERVE], { env });
  await refused.says(/^earshot: workers: this process is a worker of some other cluster/m);
  await refused.stop();
  const alone = await startChild(t, process.execPath, [main, 'serve', '--dev', '--port', '0'], { env });
  const [, url = ''] = await alone.says(/ready: open (\S+)\/\n/);
  t.equal((await fetch(`${url}/readyz`)).status, 200);
  process.kill(alone.pid, 'SIGTERM');
  t.equal((await alone.ended).code, 0);
});

t.test('a worker that can not start again → is tried again, later each time; the other serves', async (t) => {
  const folder = t.testdir({
    'earshot.config.mjs': `import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
if (cluster.isWorker && existsSync(new URL('broken', import.meta.url))) process.exit(7);
export default {};`,
  });
  const server = await startWorkers(t, { cwd: folder });
  const broken = join(folder, 'broken');
  writeFileSync(broken, '');
  process.kill(server.pids()[0] ?? 0, 'SIGKILL');
  const pauses = () => [...server.stdout().matchAll(/"afterMs":(\d+)/g)].map(([, ms]) => Number(ms));
  await eventually('three pauses', () => pauses().length >= 3);
  t.strictSame(pauses().slice(0, 3), [0, 100, 200]);
  t.match(server.stdout(), '"code":7');
  t.equal((await fetch(`${server.url}/readyz`)).status, 200);
  rmSync(broken);
  await server.serving(2);
});

t.test('pauses / one end after the other → longer and longer, up to 10 s', async (t) => {
  t.strictSame([0, 1, 2, 3, 4, 8, 9, 100].map(pauseMs), [0, 0, 100, 200, 400, 6400, 10_000, 10_000]);
});

/** A server whose workers fail at whatever is published. */
function fragile(t: Test): Promise<RunningWorkers> {
  const hook = "onPublish: () => void setImmediate(() => { throw new Error('the host is broken'); })";
  const cwd = t.testdir({ 'earshot.config.mjs': `export default { hooks: { ${hook} } };` });
  return startWorkers(t, { cwd, env: { LOG_LEVEL: 'fatal' } });
}

const PUBLISH = '{"type":"publish","id":1,"channel":"a","data":1}';

t.test('an error that nobody catches / in a worker → its clients are told, the others go on', async (t) => {
  const server = await fragile(t);
  const before = server.pids();
  const peers = await connected(t, server, 4);
  const { open } = followed(peers);
  peers[0]?.sendRaw(PUBLISH);
  t.match(await peers[0]?.next('bye'), { code: 'draining', advice: 'retry' });
  await eventually('half of them told', () => open().length === 2);
  await eventually('another', () => {
    const now = server.pids();
    return now.length === 2 && now.some((pid) => !before.includes(pid));
  });
  await server.serving(2);
  t.equal(open().length, 2, 'the others were left alone');
  t.strictSame(await server.stop(), { code: 0, signal: null });
  t.match(server.stdout(), 'the host is broken');
});

t.test(
  'SIGTERM / while a worker still ends because of an error → ends with 0, as if it came later',
  async (t) => {
    const server = await fragile(t);
    const silent = await rawConnect(t, server.port); // it does not answer the close: the worker waits for it
    await silent.send(handshake({ path: '/ws', protocols: ['earshot.v1.json'] }));
    await silent.response();
    await silent.send(frame({ payload: PUBLISH }));
    await silent.readUntil((bytes) => bytes.includes('"type":"bye"'));
    t.strictSame(await server.stop(), { code: 0, signal: null });
    t.match(server.stdout(), 'the host is broken');
  },
);

/** The number of the certificate that a new connection is shown. */
async function shownAt(t: Test, port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close').then(() => socket.destroy())]);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

t.test('SIGHUP / with TLS → every worker shows the new certificate, and never a broken one', async (t) => {
  const [first, second] = [makeCertificate(t), makeCertificate(t)];
  const [cert, key] = [join(t.testdirName, 'cert.pem'), join(t.testdir({}), 'key.pem')];
  const use = ({ certFile, keyFile }: typeof first) => {
    copyFileSync(certFile, cert);
    copyFileSync(keyFile, key);
  };
  use(first);
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
  const env = { ...CLEAN, LOG_LEVEL: 'info', EARSHOT_DATA: dataFolder(t) };
  const args = ['serve', '--dev', '--workers', '2', '--tls-cert', cert, '--tls-key', key];
  const server = await startServer(t, { command: [...args, '--port', String(port)], env });
  const children = () => childrenOf(server.child.pid ?? 0);
  await eventually('both', () => server.stdout().includes('Earshot is ready'));
  const shown = async () => new Set([await shownAt(t, port), await shownAt(t, port), await shownAt(t, port)]);
  const before = await shown();
  t.equal(before.size, 1);
  use(second);
  for (const pid of children()) process.kill(pid, 'SIGHUP'); // only the primary process decides
  server.child.kill('SIGHUP');
  await eventually('the new one alone', async () => {
    const now = await shown();
    return now.size === 1 && ![...now].some((each) => before.has(each));
  });
  const times = () => server.stdout().split('the certificate was read again"').length - 1;
  await eventually('told', () => times() > 0);
  writeFileSync(cert, 'garbage');
  server.child.kill('SIGHUP');
  await eventually('told', () => server.stdout().includes('the old one stays: tls.cert'));
  t.equal(times(), 1, 'told once');
  const after = await shown();
  const [victim = 0] = children();
  process.kill(victim, 'SIGKILL');
  await eventually('another', () => server.stdout().split('Server listening').length === 4);
  t.strictSame(await shown(), after, 'one that is started later has the one in force');
  t.match(await server.stop(), { code: 0 });
});
