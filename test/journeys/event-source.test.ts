// The EventSource of a real browser, which resumes by nothing but the ids of events.
import { createServer } from 'node:http';
import { SignJWT } from 'jose';
import type { BrowserContext, Page } from 'playwright-core';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/index.js';
import { appOn } from '../support/app.js';
import { launchChromium } from '../support/chromium.js';
import { secret } from '../support/secrets.js';
import { freePort } from '../support/spawn.js';
import { tcpProxy } from '../support/tcp-proxy.js';

// A browser takes what it takes where many tests share a few cores; and it comes back 3 s after a cut.
t.setTimeout(300_000);

const SECRET = secret('the secret that signs the tokens of these tests');
const COOKIE = 'sid';
const PATIENCE_MS = 60_000;
const browser = await launchChromium(t);

/** What an EventSource has told the page. */
interface Told {
  readonly source: EventSource;
  readonly data: unknown[];
  opened: number;
  failed: number;
}

declare global {
  interface Window {
    told: Record<string, Told>;
  }
}

/** An empty page at an address of its own. */
async function pageAt(t: Test, host = '127.0.0.1'): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>a page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return `http://${host}:${address.port}`;
}

async function open(
  t: Test,
  url: string,
  cookies: Parameters<BrowserContext['addCookies']>[0] = [],
): Promise<Page> {
  const made = await browser.newContext();
  t.teardown(() => made.close());
  made.setDefaultTimeout(PATIENCE_MS);
  await made.addCookies(cookies);
  const page = await made.newPage();
  await page.goto(url);
  await page.evaluate(() => {
    window.told = {};
  });
  return page;
}

/** Starts an EventSource under a name, and keeps all data of messages that it brings. */
function listen(page: Page, name: string, url: string, withCredentials = false): Promise<void> {
  return page.evaluate(
    ({ name, url, withCredentials }) => {
      const source = new EventSource(url, { withCredentials });
      const told: Told = { source, data: [], opened: 0, failed: 0 };
      window.told[name] = told;
      source.onopen = () => told.opened++;
      source.onerror = () => told.failed++;
      // One channel: arrays in events that are called "data". Several: envelopes in events without a name.
      source.addEventListener('data', ({ data }) => told.data.push(...JSON.parse(data)));
      source.onmessage = ({ data }) => {
        const envelope = JSON.parse(data);
        if (envelope.type === 'message') told.data.push(envelope.data);
      };
    },
    { name, url, withCredentials },
  );
}

/** Waits until each of them has opened so often. */
async function opened(page: Page, names: readonly string[], times: number): Promise<void> {
  await page.waitForFunction(
    ({ names, times }) => names.every((name) => (window.told[name]?.opened ?? 0) >= times),
    { names, times },
  );
}

/** What came, once it is so much or more. */
async function dataOf(page: Page, name: string, count: number): Promise<readonly unknown[]> {
  await page.waitForFunction(({ name, count }) => (window.told[name]?.data.length ?? 0) >= count, {
    name,
    count,
  });
  return page.evaluate((name) => window.told[name]?.data ?? [], name);
}

/** A development server with an empty channel, seen through a line that can be cut. */
async function behindLine(t: Test, options: EarshotOptions = {}) {
  const on = await appOn(t, { pages: false, ...options });
  await fetch(`${on.url}/v1/stream/a`, { method: 'PUT', headers: { 'content-type': 'application/json' } });
  const line = await tcpProxy(t, on.port);
  const published: number[] = [];
  const publish = async (count: number) => {
    for (let at = 0; at < count; at++) {
      published.push(published.length);
      await on.app.earshot.publish('a', published.length - 1);
    }
  };
  const through = `http://127.0.0.1:${line.port}`;
  const urls = {
    stream: `${through}/v1/stream/a?offset=-1&live=sse`,
    read: `${through}/v1/read?channel=a&channel=b`,
  };
  return { ...on, line, through, urls, published, publish };
}

t.test(
  'EventSource / cut again and again while there is publishing → everything once, in order',
  async (t) => {
    const { app, line, through, urls, published, publish } = await behindLine(t);
    const page = await open(t, `${through}/livez`);
    for (const [name, url] of Object.entries(urls)) await listen(page, name, url);
    const names = Object.keys(urls);
    await opened(page, names, 1);
    const endAll = () => {
      const waiting = app.earshot.sessions.list().filter(({ transport }) => transport === 'sse');
      for (const { id } of waiting) app.earshot.sessions.end(id);
      return waiting.length;
    };
    // The first cut comes before any message, the second in the middle of many, the third from the server.
    const rounds = [
      { before: 0, cut: line.cut, after: 5 },
      { before: 300, cut: line.cut, after: 50 },
      { before: 20, cut: endAll, after: 20 },
    ];
    for (const [at, { before, cut, after }] of rounds.entries()) {
      await publish(before);
      t.ok(cut() >= 2, `cut ${at + 1}`);
      await publish(after);
      await opened(page, names, at + 2);
      for (const name of names) t.strictSame(await dataOf(page, name, published.length), published, name);
    }
    await publish(1);
    for (const name of names) t.strictSame(await dataOf(page, name, published.length), published, name);
  },
);

t.test('EventSource / cut before the first byte → tries again, and has everything', async (t) => {
  const { port, line, through, urls, published, publish } = await behindLine(t);
  const page = await open(t, `${through}/livez`);
  await publish(3);
  line.leadTo(await freePort()); // where nobody is
  line.cut();
  await listen(page, 'stream', urls.stream);
  await page.waitForFunction(() => (window.told['stream']?.failed ?? 0) > 0);
  line.leadTo(port);
  t.strictSame(await dataOf(page, 'stream', 3), published);
});

async function tokenFor(sub: string): Promise<string> {
  const claims = new SignJWT({ sub, exp: Math.floor(Date.now() / 1000) + 3600 });
  return secret(await claims.setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET)));
}

t.test(
  'EventSource / page of another origin → token in the query or a cookie, where it is allowed',
  async (t) => {
    const [allowed, stranger] = [await pageAt(t), await pageAt(t)];
    const { app, url } = await appOn(t, {
      dev: false,
      origins: [allowed],
      token: { secret: SECRET, cookie: COOKIE, query: true },
    });
    const token = await tokenFor('ann');
    await app.earshot.publish('a', 'hello');
    const paths = [`/v1/stream/a?offset=-1&live=sse`, `/v1/read?channel=a`];
    const cookie = { name: COOKIE, value: token, domain: '127.0.0.1', path: '/', sameSite: 'Lax' } as const;
    for (const origin of [allowed, stranger]) {
      const anonymous = await open(t, origin);
      const known = await open(t, origin, [cookie]);
      for (const path of paths) {
        await listen(anonymous, `query ${path}`, `${url}${path}&token=${token}`);
        await listen(anonymous, `nothing ${path}`, `${url}${path}`, true);
        await listen(known, `cookie ${path}`, `${url}${path}`, true);
      }
      const named = (what: string) => paths.map((path) => `${what} ${path}`);
      await refused(anonymous, named('nothing'));
      if (origin === stranger) {
        await refused(anonymous, named('query'));
        await refused(known, named('cookie'));
        continue;
      }
      await opened(anonymous, named('query'), 1);
      await opened(known, named('cookie'), 1);
      await app.earshot.publish('a', 'to those who are let in');
      for (const name of named('query'))
        t.equal((await dataOf(anonymous, name, 1)).at(-1), 'to those who are let in');
      for (const name of named('cookie'))
        t.equal((await dataOf(known, name, 1)).at(-1), 'to those who are let in');
    }
    const sessions = app.earshot.sessions.list().filter(({ transport }) => transport === 'sse');
    t.strictSame(
      sessions.map(({ user }) => user),
      Array<string>(4).fill('ann'),
      'and no other',
    );
  },
);

/** Waits until each has given up, without having opened. */
async function refused(page: Page, names: readonly string[]): Promise<void> {
  await page.waitForFunction(
    (names) =>
      names.every((name) => {
        const told = window.told[name];
        return told?.source.readyState === EventSource.CLOSED && told.opened === 0;
      }),
    names,
  );
}
