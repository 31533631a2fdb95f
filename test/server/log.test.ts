import type { Test } from 'tap';
import t from 'tap';
import { ACTIONS } from '../../src/core/policy/action.js';
import { findLeaks } from '../support/leaks.mjs';
import { peer, plainPeer } from '../support/peer.js';
import { rawConnect } from '../support/raw-socket.js';
import { secret } from '../support/secrets.js';
import type { LoggedScene } from './logged-scene.js';
import { loggedScene } from './logged-scene.js';
import type { Scene } from './scene.js';
import { ours, undisturbed } from './scene.js';

/** Sends the bytes, and gives the status of what is answered once the connection is done with. */
async function statusOf(t: Test, { port }: Scene, bytes: string): Promise<number> {
  const raw = await rawConnect(t, port);
  await raw.send(bytes);
  const { status } = await raw.response();
  raw.socket.destroy();
  return status;
}

const request = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`;

function noLeak(t: Test, sought: string, { lines }: LoggedScene): void {
  const all = lines();
  t.ok(all.length > 0, 'something was logged');
  t.strictSame(findLeaks([sought], [{ name: 'log', bytes: Buffer.from(all.join('\n')) }]).faults, []);
}

t.test('log / a token in a URL, at whatever path and however it is written → is left out', async (t) => {
  const token = secret('a-token-that-stands-in-a-url');
  const statuses = new Map([
    [`/v1/session?token=${token}`, 200],
    [`/v1/session?a=b&%74oken=${token}`, 200],
    [`/v1/session?a?token=${token}`, 200],
    [`/v1/none?token=${token}`, 404],
    [`/none?token=${token}`, 404],
    [`/ws?token=${token}`, 426],
  ]);
  for (const prefix of ['', '/live']) {
    const on = await loggedScene(t, { prefix, pages: prefix === '' });
    for (const [path, status] of statuses) {
      t.equal(await statusOf(t, on, request(prefix + path)), status, path);
      noLeak(t, token, on);
    }
    t.equal(await statusOf(t, on, request(`/elsewhere?token=${token}`)), 404);
    noLeak(t, token, on);
  }
});

t.test('log / a request that can not be read → its bytes are left out', async (t) => {
  const on = await loggedScene(t);
  const token = secret('a-token-in-a-broken-request');
  const carried = `authorization: Bearer ${token}\r\n`;
  t.equal(await statusOf(t, on, request('/livez', `${carried}no header\r\n`)), 400);
  noLeak(t, token, on);
  t.equal(await statusOf(t, on, request('/livez', `${carried}large: ${'x'.repeat(100_000)}\r\n`)), 431);
  noLeak(t, token, on);
  t.equal(await statusOf(t, on, ours({ headers: { authorization: `Bearer ${token}\u0000` } })), 400);
  noLeak(t, token, on);
  await undisturbed(t, on);
});

t.test(
  'log / what is published and what is carried, good or broken, over any transport → is left out',
  async (t) => {
    const body = secret('a message that only its readers may see');
    const cookie = secret('a-cookie-of-the-host-that-carries-it');
    const on = await loggedScene(t, {
      channels: {
        'strict/*': { anonymous: ['publish'], maxMessageBytes: 5 },
        '**': { anonymous: [...ACTIONS] },
      },
      hooks: {
        onPublish: ({ channel }) => (channel === 'broken' ? Promise.reject(new Error('a hook')) : undefined),
      },
    });
    const headers = { cookie: `sid=${cookie}` };
    const client = await peer(t, on.wsUrl, { headers });
    const plain = await plainPeer(t, on.wsUrl, { headers });
    await client.call({ type: 'subscribe', channel: 'lobby' });
    plain.send(body);
    t.equal((await client.next('message')).data, body);
    for (const channel of ['a', 'strict/a', 'broken'])
      await client.call({ type: 'publish', channel, data: body });
    await client.call({ type: 'history', channel: 'a' });
    for (const text of [
      body,
      `{"type":"publish","id":1,"data":"${body}"}`,
      `{"type":"${body}"}`,
      `{"${body}":1}`,
    ]) {
      client.sendRaw(text);
      t.match(await client.next('error'), { code: 'bad_envelope' });
    }
    const publish = `{"type":"publish","id":1,"channel":"a","data":"${body}"}`;
    for (const text of [`[${publish}]`, publish, `[${publish}`, '']) {
      const type = { 'content-type': 'application/json', ...headers };
      await fetch(`${on.url}/v1/commands`, { method: 'POST', headers: type, body: text });
    }
    await fetch(`${on.url}/v1/commands`, { method: 'POST', headers, body });
    const lines = on.lines();
    t.ok(
      lines.some((line) => line.includes('a hook')),
      'what went wrong here is told',
    );
    const bytes = Buffer.from(lines.join('\n'));
    t.strictSame(findLeaks([body, cookie], [{ name: 'log', bytes }]).faults, []);
    await undisturbed(t, on);
  },
);

t.test('log / names that try to break out of their line → one line of JSON each, nothing raw', async (t) => {
  const forged = 'ann\r\n{"level":60,"msg":"forged"}\u001b[31m\u0000\t"\\';
  const onConnect = ({ request }: { request: { headers: NodeJS.Dict<string | string[]> } }) =>
    request.headers['x-forge'] === undefined ? undefined : { user: forged, name: forged };
  const authorize = ({ caller, channel }: { caller: { user: string | null }; channel: string }) => {
    if (channel === 'fails') throw new Error(`no such user: ${caller.user}`);
    return undefined;
  };
  const on = await loggedScene(t, { hooks: { onConnect, authorize } });
  const client = await peer(t, on.wsUrl, {
    headers: { 'x-forge': '1', 'user-agent': '%1b[31m' },
  });
  await client.next('welcome');
  for (const channel of [forged, 'a\nb', '\u001b[31m', 'fails']) {
    client.sendRaw(JSON.stringify({ type: 'subscribe', id: 1, channel }));
    t.match(await client.next('error'), { id: 1 });
    client.sendRaw(JSON.stringify({ type: forged, id: 2, [forged]: forged }));
    t.match(await client.next('error'), { code: 'bad_envelope' });
    const body = JSON.stringify([{ type: 'history', id: 1, channel }]);
    const headers = { 'content-type': 'application/json', 'x-forge': '1' };
    await fetch(`${on.url}/v1/commands`, { method: 'POST', headers, body });
  }
  for (const path of ['/%0a%1b[31m', '/v1/session?a=%0d%0a', '/a"b\\c', '/\u00e4\u001b[31m']) {
    const raw = await rawConnect(t, on.port);
    await raw.send(request(path));
    await raw.response();
    raw.socket.destroy();
  }
  client.socket.close();
  await on.metricReaches(1, 'earshot_closes_total');
  const lines = on.lines();
  for (const line of lines) {
    t.match(JSON.parse(line), { level: /^[1-5]0$/, time: /^\d+$/, msg: /./ });
    t.notMatch(line, /\p{Cc}/u, 'nothing raw');
    t.not(JSON.parse(line).msg, 'forged');
  }
  t.ok(
    lines.some((line) => line.includes('no such user: ann\\r\\n{')),
    'an error of the host, escaped',
  );
  await undisturbed(t, on);
});
