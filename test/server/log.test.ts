import type { Test } from 'tap';
import t from 'tap';
import { findLeaks } from '../support/leaks.mjs';
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
