import t from 'tap';
import { appOn } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import { launchChromium, openPage } from '../support/chromium.js';

// A browser takes what it takes where many tests share a few cores; each wait in it has its own bound.
t.setTimeout(300_000);

t.test('lobby / over TLS in Chromium → the page by HTTP/2, the WebSocket on the same port', async (t) => {
  const { cert, key } = makeCertificate(t);
  const on = await appOn(t, { pages: true }, { tls: { cert, key } });
  const browser = await launchChromium(t);
  const url = `${on.url}/`;
  const { page, faults } = await openPage(t, browser, url, { ignoreHTTPSErrors: true });
  await page.locator('#scroller[aria-busy=false]').waitFor();
  await page.getByLabel('Message', { exact: true }).fill('over TLS');
  await page.keyboard.press('Enter');
  await page.locator('#messages .text').getByText('over TLS', { exact: true }).waitFor();
  t.match((await on.app.earshot.history('lobby')).messages, [{ data: 'over TLS' }]);
  t.equal(on.app.earshot.sessions.count, 1);
  const protocols = await page.evaluate(() =>
    performance
      .getEntries()
      .flatMap((entry) => ('nextHopProtocol' in entry ? [String(entry.nextHopProtocol)] : [])),
  );
  t.ok(protocols.length > 1, 'the page and what it loads');
  t.strictSame([...new Set(protocols)], ['h2']);
  t.strictSame(faults, [], 'no error, no violation, no other host');
});

const CHANNELS = 12;

t.test('twelve EventSources and a WebSocket / in one page over HTTP/2 → all get their message', async (t) => {
  const { cert, key } = makeCertificate(t);
  const on = await appOn(t, { pages: true }, { tls: { cert, key } });
  for (let nth = 0; nth <= CHANNELS; nth++) await on.app.earshot.publish(`many/${nth}`, 'first');
  const browser = await launchChromium(t);
  const { page, faults } = await openPage(t, browser, `${on.url}/`, { ignoreHTTPSErrors: true });
  await page.locator('#scroller[aria-busy=false]').waitFor();
  const sources = Array.from({ length: CHANNELS }, (_, nth) => `/v1/stream/many/${nth}?offset=now&live=sse`);
  await page.evaluate(openAll, { sources, wsUrl: on.wsUrl, channel: `many/${CHANNELS}` });
  t.equal(on.app.earshot.sessions.count, CHANNELS + 2, 'all at once, and the one of the page itself');
  for (let nth = 0; nth <= CHANNELS; nth++) await on.app.earshot.publish(`many/${nth}`, `for ${nth}`);
  const heard = await page.evaluate(() => Promise.all((window as unknown as Heard).heard));
  t.strictSame(
    heard,
    Array.from({ length: CHANNELS + 1 }, (_, nth) => `for ${nth}`),
  );
  const protocols = await page.evaluate(() =>
    performance.getEntriesByType('navigation').map((entry) => Reflect.get(entry, 'nextHopProtocol')),
  );
  t.strictSame(protocols, ['h2']);
  t.strictSame(faults, []);
});

/** What the page keeps: what each of them hears first. */
interface Heard {
  heard: Promise<unknown>[];
}

/** Runs in the page. Resolves when all are open and live; what they hear is kept on the window. */
async function openAll(what: {
  readonly sources: readonly string[];
  readonly wsUrl: string;
  readonly channel: string;
}) {
  const live: Promise<void>[] = [];
  const heard = what.sources.map((path) => {
    const source = new EventSource(path);
    live.push(new Promise((resolve) => source.addEventListener('control', () => resolve(), { once: true })));
    return new Promise((resolve) =>
      source.addEventListener('data', ({ data }) => resolve(JSON.parse(data)[0]), { once: true }),
    );
  });
  const socket = new WebSocket(what.wsUrl, 'earshot.v1.json');
  const next = (type: string) =>
    new Promise<{ readonly data: unknown }>((resolve) =>
      socket.addEventListener('message', (event) => {
        const envelope = JSON.parse(event.data);
        if (envelope.type === type) resolve(envelope);
      }),
    );
  heard.push(next('message').then(({ data }) => data));
  live.push(next('subscribed').then(() => undefined));
  socket.addEventListener('open', () =>
    socket.send(JSON.stringify({ type: 'subscribe', id: 1, channel: what.channel })),
  );
  await Promise.all(live);
  (window as unknown as Heard).heard = heard;
}
