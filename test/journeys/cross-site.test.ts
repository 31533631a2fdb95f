import { createServer } from 'node:http';
import { SignJWT } from 'jose';
import type { Page } from 'playwright-core';
import type { Test } from 'tap';
import t from 'tap';
import { appOn } from '../support/app.js';
import { launchChromium } from '../support/chromium.js';
import { secret } from '../support/secrets.js';

// A browser takes what it takes where many tests share a few cores; each wait in it has its own bound.
t.setTimeout(300_000);

const SECRET = secret('the secret that signs the cookies of these tests');
const COOKIE = 'sid';
const browser = await launchChromium(t);

/** A page that knows nothing, at `url`; the other names of the same machine are other sites. */
async function pageServer(t: Test): Promise<number> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>a page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}

/** A server that takes the token from a cookie, for the pages at `port` of 127.0.0.1 and its own; and who has that cookie. */
async function cookieServer(t: Test, port: number) {
  const origins = ['same', `http://127.0.0.1:${port}`];
  const on = await appOn(t, {
    dev: false,
    origins,
    pages: true,
    token: { secret: SECRET, cookie: COOKIE },
    trustProxy: [],
  });
  const claims = new SignJWT({ sub: 'victim', exp: Math.floor(Date.now() / 1000) + 3600 });
  const token = await claims.setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));
  const context = await browser.newContext();
  t.teardown(() => context.close());
  // For every page of this machine, whatever its port: as lax as a cookie can be.
  for (const domain of ['127.0.0.1', 'localhost']) {
    await context.addCookies([{ name: COOKIE, value: secret(token), domain, path: '/', sameSite: 'Lax' }]);
  }
  const open = async (url: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };
  return { on, open };
}

/** What a page is told of a WebSocket that subscribes, publishes and then waits. Runs in the page. */
function tryWebSocket({ url, protocols }: { url: string; protocols: string[] }): Promise<string[]> {
  return new Promise((resolve) => {
    const told: string[] = [];
    const socket = new WebSocket(url, protocols);
    socket.onopen = () => {
      told.push('open');
      socket.send('{"type":"publish","id":1,"channel":"a","data":"over the WebSocket"}');
    };
    socket.onmessage = ({ data }) => {
      const { type, user, code } = JSON.parse(data);
      told.push([type, user ?? code].filter(Boolean).join(' '));
      if (type === 'published' || type === 'error') socket.close(1000);
    };
    socket.onclose = ({ code, reason }) => {
      told.push([`closed ${code}`, reason].filter(Boolean).join(' '));
      resolve(told);
    };
  });
}

/** What a page is told of a publish over HTTP. Runs in the page. */
async function tryFetch({ url, type }: { url: string; type: string }): Promise<string> {
  try {
    const body = '[{"type":"publish","id":1,"channel":"a","data":"over HTTP"}]';
    const headers = { 'content-type': type };
    const response = await fetch(`${url}/v1/commands`, {
      method: 'POST',
      credentials: 'include',
      headers,
      body,
    });
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    return error instanceof Error ? error.name : 'failed';
  }
}

/** A publish without a body that can be read back: what a form or `no-cors` may send. Runs in the page. */
async function tryBlind(url: string): Promise<string> {
  const body = '[{"type":"publish","id":1,"channel":"a","data":"blind"}]';
  const init = { method: 'POST', mode: 'no-cors', credentials: 'include', body } as const;
  return (await fetch(`${url}/v1/commands`, init)).type;
}

/** Who the page is taken to be. Runs in the page. */
async function trySession(url: string): Promise<string> {
  try {
    return JSON.stringify(await (await fetch(`${url}/v1/session`, { credentials: 'include' })).json());
  } catch (error) {
    return error instanceof Error ? error.name : 'failed';
  }
}

t.test(
  'another site / in the browser of somebody with a cookie → gets nothing, and publishes nothing',
  async (t) => {
    const allowed = await pageServer(t);
    const evil = await pageServer(t);
    const { on, open } = await cookieServer(t, allowed);
    // Another port of the same host is the same site: browsers send even strict cookies along.
    const pages = [`http://127.0.0.1:${evil}/`, `http://localhost:${evil}/`, `http://localhost:${allowed}/`];
    const hosts = [`127.0.0.1:${on.port}`, `localhost:${on.port}`];
    for (const address of pages) {
      const page = await open(address);
      for (const host of hosts) {
        const [url, ws] = [`http://${host}`, `ws://${host}/ws`];
        for (const protocols of [['earshot.v1.json'], []]) {
          t.strictSame(
            await page.evaluate(tryWebSocket, { url: ws, protocols }),
            ['closed 1006'],
            `${address} → ${ws}`,
          );
        }
        t.equal(await page.evaluate(tryFetch, { url, type: 'application/json' }), 'TypeError');
        t.equal(
          await page.evaluate(tryFetch, { url, type: 'text/plain' }),
          'TypeError',
          'without asking first',
        );
        t.equal(await page.evaluate(tryBlind, url), 'opaque');
        t.equal(await page.evaluate(trySession, url), 'TypeError');
      }
      await page.close();
    }
    const refusals = await on.metric('earshot_refusals_total', { reason: 'forbidden' });
    t.ok(refusals >= pages.length * hosts.length * 4, `refused ${refusals} times, each as forbidden`);
    t.equal(await on.metric('earshot_sessions_total'), 0);
    t.equal(await on.metric('earshot_messages_in_total'), 0);
    t.strictSame((await on.app.earshot.history('a')).messages, [], 'nothing was published');
  },
);

t.test('the allowed site, and the server itself → the cookie is enough', async (t) => {
  const allowed = await pageServer(t);
  const { on, open } = await cookieServer(t, allowed);
  for (const address of [`http://127.0.0.1:${allowed}/`, `${on.url}/`]) {
    const page = await open(address);
    const protocols = ['earshot.v1.json'];
    const told = await page.evaluate(tryWebSocket, { url: on.wsUrl, protocols });
    t.strictSame(told, ['open', 'welcome victim', 'published', 'closed 1000'], address);
    t.match(
      await page.evaluate(tryFetch, { url: on.url, type: 'application/json' }),
      /^200 \[\{"type":"published"/,
    );
    t.match(JSON.parse(await page.evaluate(trySession, on.url)), { user: 'victim' });
    await page.close();
  }
  const { messages } = await on.app.earshot.history('a');
  t.strictSame(messages.map(({ data }) => data).sort(), [
    'over HTTP',
    'over HTTP',
    'over the WebSocket',
    'over the WebSocket',
  ]);
});
