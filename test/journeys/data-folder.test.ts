import { chmodSync, mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../support/app.js';
import { smallDisk } from '../support/small-disk.js';
import { COMMAND, dataFolder, runProcess, startServer } from '../support/spawn.js';

const SERVE = ['serve', '--dev', '--port', '0'];

/** `serve` on a folder where it can't be: how it ends, and what it says. */
async function refused(path: string) {
  const { code, stdout, stderr } = await runProcess(process.execPath, [COMMAND, ...SERVE, '--data', path]);
  return { code, stdout, stderr };
}

async function publish(url: string, channel: string, data: unknown): Promise<Response> {
  return fetch(`${url}/v1/stream/${channel}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(data),
  });
}

async function make(url: string, channel: string): Promise<void> {
  const { status } = await fetch(`${url}/v1/stream/${channel}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
  });
  if (status !== 201) throw new Error(`${channel} could not be made: ${status}`);
}

/** Everything of a channel, from the beginning. */
async function read(url: string, channel: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/stream/${channel}?offset=-1`);
  if (!response.ok) throw new Error(`${channel} could not be read: ${response.status}`);
  return response.json();
}

t.test('serve --data / killed, and started again → messages, offsets and producers go on', async (t) => {
  const path = dataFolder(t);
  const first = await startServer(t, { args: ['--data', path] });
  await make(first.url, 'orders');
  const headers = {
    'content-type': 'application/json',
    'producer-id': 'p',
    'producer-epoch': '0',
    'producer-seq': '0',
  };
  const post = (url: string) => fetch(`${url}/v1/stream/orders`, { method: 'POST', headers, body: '"once"' });
  const { headers: accepted } = await post(first.url);
  await first.stop('SIGKILL');

  const second = await startServer(t, { args: ['--data', path] });
  t.same(await read(second.url, 'orders'), ['once']);
  const repeated = await post(second.url);
  t.equal(repeated.status, 204, 'a repeat, as it would have been before');
  t.equal(repeated.headers.get('stream-next-offset'), accepted.get('stream-next-offset'));
  const later = await publish(second.url, 'orders', 'later');
  t.ok(String(later.headers.get('stream-next-offset')) > String(accepted.get('stream-next-offset')));
  t.same(await read(second.url, 'orders'), ['once', 'later']);
});

t.test(
  'serve --data / a second process on the same folder → exit 1 and one line; the first goes on',
  async (t) => {
    const path = dataFolder(t);
    const { url, child } = await startServer(t, { args: ['--data', path] });
    await make(url, 'a');
    const said = `earshot: the data folder ${path} is in use by another process (pid ${child.pid}): a folder has one server at a time\n`;
    t.same(await refused(path), { code: 1, stdout: '', stderr: said });
    t.equal((await publish(url, 'a', 1)).status, 204);
  },
);

t.test('serve --data / a damaged folder → exit 1 and one line, nothing overwritten', async (t) => {
  const path = dataFolder(t);
  const server = await startServer(t, { args: ['--data', path] });
  await make(server.url, 'a');
  await publish(server.url, 'a', 'x'.repeat(100_000));
  await server.stop();
  truncateSync(join(path, 'data.mdb'), statSync(join(path, 'data.mdb')).size / 2);
  const before = statSync(join(path, 'data.mdb'));
  const { code, stdout, stderr } = await refused(path);
  t.same([code, stdout], [1, '']);
  t.match(stderr, /^earshot: the data folder \S+ is damaged: [^\n]+\n$/);
  const { size, mtimeMs } = statSync(join(path, 'data.mdb'));
  t.same({ size, mtimeMs }, { size: before.size, mtimeMs: before.mtimeMs });
});

t.test('serve --data / no permission for the folder → exit 1 and one line', async (t) => {
  const path = dataFolder(t);
  mkdirSync(path);
  chmodSync(path, 0o500);
  const args = ['--input-type=module', '--eval', AS_SOMEBODY, ...SERVE, '--data', path];
  t.match(await runProcess(process.execPath, args), {
    code: 1,
    stdout: '',
    stderr: `earshot: the data folder ${path} cannot be used: this user has no permission for it\n`,
  });
  t.same(readdirSync(path), []);
});

/** The command, once all of it is loaded; and where root runs it, who may do everything, as somebody else. */
const AS_SOMEBODY = `
  import { main } from ${JSON.stringify(built('cli/program.js'))};
  import ${JSON.stringify(built('store/lmdb/lmdb-store.js'))};
  if (process.getuid() === 0) process.seteuid(65534);
  process.exitCode = await main(process.argv.slice(1));
`;

function built(path: string): string {
  return new URL(`../../dist/${path}`, import.meta.url).href;
}

t.test('serve --data / a disk that is full → exit 1 and one line, nothing overwritten', async (t) => {
  const disk = await smallDisk(t, 8);
  disk.fill();
  const path = join(disk.path, 'data');
  const { code, stdout, stderr } = await refused(path);
  t.same([code, stdout], [1, '']);
  t.match(stderr, /^earshot: the data folder \S+ cannot be used: the disk is full\n$/);

  disk.free();
  const server = await startServer(t, { args: ['--data', path] });
  await make(server.url, 'a');
  await publish(server.url, 'a', 'kept');
  await server.stop('SIGKILL');
  disk.fill();
  t.match(await refused(path), { code: 1, stderr: /cannot be used: the disk is full\n$/ });
  disk.free();
  const again = await startServer(t, { args: ['--data', path] });
  t.same(await read(again.url, 'a'), ['kept']);
});

t.test(
  'serve --data / the disk is full while it runs → publishes are refused, readers are served',
  async (t) => {
    const disk = await smallDisk(t, 8);
    const path = join(disk.path, 'data');
    const server = await startServer(t, { args: ['--data', path] });
    const { url } = server;
    await make(url, 'a');
    await publish(url, 'a', 'before');
    const live = await fetch(`${url}/v1/stream/a?offset=now&live=sse`);
    disk.fill();
    const big = 'x'.repeat(20_000);
    const stored: string[] = [];
    let answer = await publish(url, 'a', big);
    for (; answer.status === 204; answer = await publish(url, 'a', big)) stored.push(big); // what the file has free
    t.equal(answer.status, 503);
    t.match(await answer.json(), { code: 'unavailable', detail: /full/ });
    t.ok(Number(answer.headers.get('retry-after')) >= 1, 'and when to come again');
    t.same(await read(url, 'a'), ['before', ...stored]);
    t.equal((await fetch(`${url}/readyz`)).status, 200, 'it is there for readers');

    disk.free();
    await eventually('room', async () => (await publish(url, 'a', 'after')).status === 204);
    t.same(await read(url, 'a'), ['before', ...stored, 'after'], 'what was refused is not there');
    t.ok(await says(live, '"after"'), 'who was live has stayed so');
    t.match(server.stdout(), /the store failed/);
    await server.stop('SIGKILL');
    const again = await startServer(t, { args: ['--data', path] });
    t.same(await read(again.url, 'a'), ['before', ...stored, 'after']);
  },
);

/** Reads a response until it says this; false where it ends before. */
async function says({ body }: Response, text: string): Promise<boolean> {
  let said = '';
  if (body !== null)
    for await (const chunk of body) {
      said += Buffer.from(chunk).toString();
      if (said.includes(text)) return true;
    }
  return false;
}
