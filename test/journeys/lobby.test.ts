import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Test } from 'tap';
import t from 'tap';
import { WebSocket } from 'ws';
import type { EarshotOptions } from '../../src/index.js';
import { createApp } from '../../src/index.js';
import { launchChromium, openPage, type WatchedPage } from '../support/chromium.js';
import { traceLog } from '../support/logs.js';
import { ROOT } from '../support/spawn.js';

// A browser takes what it takes where many tests share a few cores; each wait in it has its own bound.
t.setTimeout(300_000);

const browser = await launchChromium(t);
const PICTURES = join(ROOT, 'artifacts', 'lobby');
mkdirSync(PICTURES, { recursive: true });

/** The server in development mode, and ways to reach into it. */
async function serveLobby(t: Test, options: EarshotOptions = {}) {
  const app = await createApp({ dev: true, ...options }, { logger: traceLog() });
  t.teardown(() => app.close());
  const sockets = new Map<number, Socket>();
  app.server.on('connection', (socket) => sockets.set(socket.remotePort ?? 0, socket));
  const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}${options.prefix ?? ''}/`;
  const enter = async (page?: BrowserContextOptions) => {
    const watched = await openPage(t, browser, url, page);
    await watched.page.locator('#scroller[aria-busy=false]').waitFor();
    return watched;
  };
  return { app, url, sockets, enter };
}

/** A client without a page: its socket is open and its frames are kept. */
async function plainClient(t: Test, url: string, protocols: string[] = []) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}ws`, protocols);
  t.teardown(() => socket.terminate());
  const frames: string[] = [];
  socket.on('message', (data) => frames.push(data.toString()));
  await once(socket, 'message');
  const heard = async (frame: string) => {
    while (!frames.includes(frame)) await once(socket, 'message');
  };
  return { socket, heard };
}

/** Types the text and sends it by Enter. */
async function type({ page }: WatchedPage, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

/** Says it, and waits until it stands in the log. */
async function say(watched: WatchedPage, text: string): Promise<void> {
  await type(watched, text);
  await sees(watched, text);
}

async function sees({ page }: WatchedPage, text: string): Promise<void> {
  await page.locator('#messages .text').getByText(text, { exact: true }).first().waitFor();
}

function texts({ page }: WatchedPage): Promise<string[]> {
  return page.locator('#messages .text').allTextContents();
}

function nameOf({ page }: WatchedPage): Promise<string> {
  return page.locator('#me').innerText();
}

async function isInState({ page }: WatchedPage, state: string): Promise<void> {
  await page.locator(`#line[data-state=${state}]`).waitFor();
}

async function cut(watched: WatchedPage): Promise<void> {
  await watched.page.getByRole('button', { name: 'Cut the connection' }).click();
  await isInState(watched, 'waiting');
}

async function comeBack(watched: WatchedPage): Promise<string> {
  await watched.page.getByRole('button', { name: 'Reconnect now' }).click();
  return proof(watched);
}

/** What the page says it found, without the time of day. */
async function proof({ page }: WatchedPage): Promise<string> {
  const line = page.locator('#proof', { hasText: /twice|not compared/ });
  await line.waitFor();
  return (await line.innerText()).replace(/^Resumed at [^a-z]*/, '');
}

/** Everybody sees these, and no others, in this order. */
async function inTheList({ page }: WatchedPage, names: readonly string[]): Promise<void> {
  await page.waitForFunction((wanted) => {
    const rows = [...document.querySelectorAll('#members li')].map(({ textContent }) => textContent);
    return rows.join() === wanted.join();
  }, names);
}

function scrollsSideways(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}

function noFaults(t: Test, ...pages: readonly WatchedPage[]): void {
  for (const { faults } of pages) t.strictSame(faults, [], 'no error, no violation, no other host');
}

t.test('lobby / two people → see each other, talk, and a third reads what was said before', async (t) => {
  const { enter } = await serveLobby(t);
  const ann = await enter();
  t.ok(await ann.page.getByText('Nobody has said anything yet').isVisible());
  const bob = await enter();
  const [annName, bobName] = [await nameOf(ann), await nameOf(bob)];
  t.match(annName, /^127\.0\.0\.1:\d+$/);
  await inTheList(ann, [`${annName} you`, bobName]);
  await inTheList(bob, [`${bobName} you`, annName]);

  await say(ann, 'Hello, Bob');
  await sees(bob, 'Hello, Bob');
  await say(bob, 'Hello, Ann');
  await sees(ann, 'Hello, Ann');
  for (const each of [ann, bob]) t.strictSame(await texts(each), ['Hello, Bob', 'Hello, Ann']);
  t.equal(await ann.page.locator('.message').first().getAttribute('data-from'), annName);
  t.match(await ann.page.locator('time').first().getAttribute('datetime'), /^20\d\d-.*Z$/);
  t.strictSame(await ann.page.locator('.own .text').allTextContents(), ['Hello, Bob']);

  const late = await enter();
  await late.page.getByText('before you came').waitFor();
  await say(late, 'And me');
  const rows = await late.page
    .locator('#messages > li')
    .evaluateAll((all) => all.map((row) => row.querySelector('.text')?.textContent ?? row.textContent));
  t.strictSame(rows, ['Hello, Bob', 'Hello, Ann', 'before you came', 'And me']);
  await bob.page.close();
  await inTheList(ann, [`${annName} you`, await nameOf(late)]);
  noFaults(t, ann, bob, late);
});

t.test('lobby / cut by the button → comes back with all that was said, once and in order', async (t) => {
  const { enter } = await serveLobby(t);
  const ann = await enter();
  const bob = await enter();
  await say(ann, 'before');
  const oldName = await nameOf(ann);

  await cut(ann);
  t.equal(await ann.page.getByRole('status').first().innerText(), 'Cut');
  t.match(await ann.page.locator('#countdown').innerText(), /^– coming back in \d+ s$/);
  await inTheList(bob, [`${await nameOf(bob)} you`]);
  for (const text of ['one', 'two', 'three']) await say(bob, text);
  t.strictSame(await texts(ann), ['before']);
  t.equal(await comeBack(ann), 'complete, 3 messages caught up, 0 missing, 0 twice');
  await say(bob, 'after');
  await sees(ann, 'after');

  t.strictSame(await texts(ann), ['before', 'one', 'two', 'three', 'after']);
  t.strictSame(await ann.page.locator('.caught-up .text').allTextContents(), ['one', 'two', 'three']);
  t.match(
    await ann.page.locator('.mark').innerText(),
    /^the line was cut at .+, back at .+ with 3 caught up$/,
  );
  t.equal(await ann.page.getByRole('status').first().innerText(), 'Connected');
  t.not(await nameOf(ann), oldName, 'a new connection has a new port');
  await inTheList(bob, [`${await nameOf(bob)} you`, await nameOf(ann)]);
  await ann.page.screenshot({ path: join(PICTURES, 'resumed.png') });
  noFaults(t, ann, bob);
});

t.test('lobby / typed while cut → waits in sight, and is delivered once', async (t) => {
  const { enter } = await serveLobby(t);
  const ann = await enter();
  const bob = await enter();
  await cut(ann);
  await type(ann, 'in the dark');
  await type(ann, 'and again');
  t.strictSame(await ann.page.locator('#pending .text').allTextContents(), ['in the dark', 'and again']);
  t.equal(await ann.page.locator('#pending .note').first().innerText(), 'waiting for the connection');
  await say(bob, 'meanwhile');

  t.match(await comeBack(ann), /^complete, \d messages caught up, 0 missing, 0 twice$/);
  await ann.page.waitForFunction(() => document.querySelector('#pending li') === null);
  await sees(bob, 'and again');
  const all = ['meanwhile', 'in the dark', 'and again'];
  for (const each of [ann, bob]) t.strictSame(await texts(each), all);
  t.strictSame(await ann.page.locator('.own .text').allTextContents(), ['in the dark', 'and again']);
  noFaults(t, ann, bob);
});

t.test('lobby / cut, and left alone → comes back by itself', async (t) => {
  const { enter } = await serveLobby(t);
  const ann = await enter();
  await ann.page.clock.install();
  await cut(ann);
  await ann.page.clock.fastForward(11_000);
  t.equal(await proof(ann), 'complete, 0 messages caught up, 0 missing, 0 twice');
  await isInState(ann, 'connected');
  noFaults(t, ann);
});

t.test('lobby / cut by the network again and again → nothing is missing, nothing twice', async (t) => {
  const { enter, sockets } = await serveLobby(t);
  const ann = await enter();
  const bob = await enter();
  const said: string[] = [];
  for (const round of [1, 2, 3]) {
    const name = await nameOf(ann);
    sockets.get(Number(name.split(':').at(-1)))?.destroy();
    for (const part of ['a', 'b']) {
      said.push(`${round}${part}`);
      await say(bob, `${round}${part}`);
    }
    await ann.page.waitForFunction((old) => document.querySelector('#me')?.textContent !== old, name);
    await sees(ann, `${round}b`);
  }
  t.match(await proof(ann), /^complete, .* 0 missing, 0 twice$/);
  t.strictSame(await texts(ann), said);
  t.equal(await ann.page.locator('.mark').count(), 3);
  noFaults(t, ann, bob);
});

t.test('lobby / ended by the server for good → says so, and offers to reload', async (t) => {
  const { app, enter } = await serveLobby(t);
  const ann = await enter();
  for (const { id } of app.earshot.sessions.list()) app.earshot.sessions.end(id);
  await isInState(ann, 'closed');
  t.match(await ann.page.locator('#state').innerText(), /^Disconnected for good/);
  await type(ann, 'too late');
  t.match(await ann.page.locator('.refused .note').innerText(), /^Not delivered: /);
  await ann.page.getByRole('button', { name: 'Edit' }).click();
  t.equal(await ann.page.getByLabel('Message', { exact: true }).inputValue(), 'too late');
  await ann.page.getByRole('button', { name: 'Reload' }).click();
  await isInState(ann, 'connected');
  noFaults(t, ann);
});

t.test('lobby / from elsewhere → its snippets work, and text is never markup', async (t) => {
  const { app, url, enter } = await serveLobby(t);
  const ann = await enter();
  await ann.page.getByText('Try it from elsewhere').click();
  t.match(await ann.page.locator('#wscat').innerText(), `npx wscat -c ${url.replace('http', 'ws')}ws`);
  await ann.page.evaluate((await ann.page.locator('#script').textContent()) ?? '');
  await sees(ann, 'Hello from the console');

  const plain = await plainClient(t, url);
  plain.socket.send('<img src=x onerror=alert(1)>');
  await sees(ann, '<img src=x onerror=alert(1)>');
  await app.earshot.publish('lobby', { celsius: [21.5] }, { from: '<b>sensor</b>' });
  await ann.page.locator('pre.text', { hasText: '{"celsius":[21.5]}' }).waitFor();
  t.equal(await ann.page.locator('#messages :is(img, b)').count(), 0);
  await say(ann, 'two\nlines');
  await plain.heard(`${await nameOf(ann)} -> two\nlines`);
  noFaults(t, ann);
});

t.test('lobby / a crowd → some are named, all are counted', async (t) => {
  const { url, enter } = await serveLobby(t);
  const crowd = await Promise.all(Array.from({ length: 60 }, () => plainClient(t, url, ['earshot.v1.json'])));
  for (const { socket } of crowd) socket.send('{"type":"subscribe","id":1,"channel":"lobby"}');
  const ann = await enter();
  await ann.page.getByText('61', { exact: true }).waitFor();
  t.equal(await ann.page.locator('#members li').count(), 50);
  t.equal(await ann.page.locator('#members li').first().innerText(), `${await nameOf(ann)} you`);
  t.ok(await ann.page.getByText('and 11 more').isVisible());
  noFaults(t, ann);
});

t.test('lobby / much to read → is bounded, and does not move under the reader', async (t) => {
  const { app, enter } = await serveLobby(t);
  for (let at = 1; at <= 600; at++) await app.earshot.publish('lobby', `number ${at}`);
  const ann = await enter();
  const scroller = ann.page.locator('#scroller');
  const rows = ann.page.locator('#messages > li');
  await sees(ann, 'number 600');
  t.equal(await rows.count(), 500);
  t.equal(await rows.last().innerText(), 'before you came');
  await ann.page.waitForFunction(isAtEnd);

  await scroller.evaluate((element) => element.scrollTo(0, 1000));
  await ann.page.waitForFunction(() => document.querySelector('#scroller:not(.follows)')?.scrollTop === 1000); // the event, too
  await app.earshot.publish('lobby', 'news');
  const pill = ann.page.getByRole('button', { name: '1 new' });
  await pill.waitFor();
  t.notOk(await ann.page.evaluate(isAtEnd));
  await pill.click();
  await ann.page.waitForFunction(isAtEnd);
  t.notOk(await pill.isVisible());
  t.equal(await rows.count(), 500);
  noFaults(t, ann);
});

/** Runs in the page. */
function isAtEnd(): boolean {
  const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = document.querySelector('#scroller') ?? {};
  return scrollHeight - scrollTop - clientHeight < 2;
}

t.test('lobby / keyboard alone → reaches everything, and sends', async (t) => {
  const { enter } = await serveLobby(t);
  const ann = await enter();
  const focused = () =>
    ann.page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName);
  const reached: (string | undefined)[] = [];
  while (!reached.includes('text') && reached.length < 20) {
    await ann.page.keyboard.press('Tab');
    reached.push(await focused());
  }
  t.strictSame(reached, ['cut', 'SUMMARY', 'SUMMARY', 'scroller', 'text']);
  t.not(
    await ann.page.locator('#text').evaluate((element) => getComputedStyle(element).outlineStyle),
    'none',
  );
  await ann.page.keyboard.type('without a mouse');
  await ann.page.keyboard.press('Shift+Enter');
  await ann.page.keyboard.type('on two lines');
  await ann.page.keyboard.press('Enter');
  await sees(ann, 'without a mouse\non two lines');
  t.equal(await ann.page.locator('#text').inputValue(), '');
  await ann.page.keyboard.press('Enter');
  await ann.page.keyboard.press('Tab');
  await ann.page.keyboard.press('Tab');
  t.not(await focused(), 'text', 'the focus is not held');
  await ann.page.keyboard.press('Escape');
  t.equal(await focused(), 'text');
  t.strictSame(await texts(ann), ['without a mouse\non two lines'], 'nothing empty was sent');
  noFaults(t, ann);
});

t.test('lobby / narrow, dark, without motion → fits, and looks as it should', async (t) => {
  const { app, enter } = await serveLobby(t);
  await app.earshot.publish('lobby', `a word that does not break: ${'x'.repeat(300)}`);
  await app.earshot.publish(
    'lobby',
    { deep: { data: 'y'.repeat(300) } },
    { from: `name-${'z'.repeat(100)}` },
  );
  const views = [
    { name: 'light', width: 1280, height: 800, colorScheme: 'light' },
    { name: 'dark', width: 1280, height: 800, colorScheme: 'dark' },
    { name: 'phone', width: 380, height: 760, colorScheme: 'light' },
    { name: 'small-phone-dark', width: 360, height: 640, colorScheme: 'dark' },
    { name: 'lying-phone', width: 640, height: 300, colorScheme: 'light' },
  ] as const;
  const grounds = new Map<string, string>();
  for (const { name, width, height, colorScheme } of views) {
    const ann = await enter({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
    t.notOk(await scrollsSideways(ann.page), `${name}: does not scroll sideways`);
    await ann.page.getByText('Try it from elsewhere').click();
    t.notOk(await scrollsSideways(ann.page), `${name}: nor with its panel open`);
    await say(ann, `hello from ${name}`);
    grounds.set(name, await ann.page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await ann.page.screenshot({ path: join(PICTURES, `${name}.png`) });
    noFaults(t, ann);
  }
  t.not(grounds.get('light'), grounds.get('dark'));
});

t.test('lobby / under a prefix → works there', async (t) => {
  const { enter } = await serveLobby(t, { prefix: '/live' });
  const ann = await enter();
  await say(ann, 'hello');
  t.match(
    await ann.page.locator('#wscat').textContent(),
    /^npx wscat -c ws:\/\/127\.0\.0\.1:\d+\/live\/ws\n$/,
  );
  noFaults(t, ann);
});
