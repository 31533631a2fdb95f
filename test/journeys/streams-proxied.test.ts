import type { Test } from 'tap';
import t from 'tap';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually } from '../support/app.js';
import type { StreamEvent } from '../support/events.js';
import { eventsIn } from '../support/events.js';
import type { RunningProxy } from '../support/proxies.js';
import { nginxOn } from '../support/proxies.js';
import { proxyAs, RECIPES } from '../support/recipes.js';

interface Way {
  readonly title: string;
  /** What the proxy speaks to the server. */
  readonly version: '1.0' | '1.1';
  readonly start: (t: Test, port: number) => Promise<RunningProxy>;
}

const WAYS: readonly Way[] = [
  {
    title: 'nginx with nothing but proxy_pass',
    version: '1.0',
    start: (t, port) => nginxOn(t, `location / { proxy_pass http://127.0.0.1:${port}; }`),
  },
  ...RECIPES.map(
    (recipe): Way => ({
      title: `docs/recipes/${recipe.name}.md`,
      version: '1.1',
      start: (t, port) => proxyAs(t, recipe, String(port)),
    }),
  ),
];

const STREAMS = [
  { path: '/v1/stream/news?live=sse&offset=now', data: '[1]' },
  { path: '/v1/read?channel=news', data: /^\{"type":"message","channel":"news",.*"data":1\}$/ },
];
const TIMES = 20;
const JSON_TYPE = { 'content-type': 'application/json' };

/** A server with a channel, behind a proxy. */
async function behind(t: Test, { start }: Way) {
  const running = await appOn(t);
  await running.app.earshot.publish('news', 0);
  const versions = new Set<string>();
  running.app.server.on('request', ({ httpVersion, url = '' }) => {
    if (url.startsWith('/v1/')) versions.add(httpVersion); // and not what checks the health
  });
  const { url } = await start(t, running.port);
  return { ...running, url, versions };
}

/** The events of a response, which ends with the test at the latest. */
async function stream(t: Test, url: string) {
  const leave = new AbortController();
  t.teardown(() => leave.abort());
  const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: leave.signal });
  if (response.body === null) throw new Error('no body');
  return { events: eventsIn(response.body), response, leave: () => leave.abort() };
}

async function nextOf(events: AsyncGenerator<StreamEvent>): Promise<StreamEvent> {
  const { value, done } = await events.next();
  if (done === true) throw new Error('the stream has ended');
  return value;
}

async function waiting({ app }: Pick<RunningApp, 'app'>, count: number): Promise<void> {
  await eventually(`${count} that wait`, () => app.earshot.stats().subscriptions === count);
}

for (const way of WAYS) {
  for (const { path, data } of STREAMS) {
    const title = `${way.title} / ${path.split('?')[0]} as events`;

    t.test(`${title} → the first comes though nothing follows it, each next one alone`, async (t) => {
      const { url, app, versions } = await behind(t, way);
      const { events, response } = await stream(t, url + path);
      t.match(await nextOf(events), { id: /./ });
      t.equal(app.earshot.stats().sessions, 1, 'and the response is open');
      t.match(response.headers.get('content-type'), 'text/event-stream');
      await app.earshot.publish('news', 1);
      t.match(await nextOf(events), { data });
      t.strictSame([...versions], [way.version], 'what the proxy speaks to the server');
    });

    t.test(`${title} / a client that leaves → its session is over`, async (t) => {
      const { url, app } = await behind(t, way);
      const { events, leave } = await stream(t, url + path);
      await nextOf(events);
      t.equal(app.earshot.stats().sessions, 1);
      leave();
      await eventually('the end', () => app.earshot.stats().sessions === 0);
      t.equal(app.earshot.stats().subscriptions, 0);
    });
  }

  t.test(`${way.title} / the first byte of a stream of events → so many ms after the request`, async (t) => {
    const { url } = await behind(t, way);
    for (const { path } of STREAMS) {
      const took: number[] = [];
      for (let time = 0; time < TIMES; time++) {
        const since = performance.now();
        const { events, leave } = await stream(t, url + path);
        t.match(await nextOf(events), { id: /./ });
        took.push(performance.now() - since);
        leave();
      }
      took.sort((a, b) => a - b);
      const [median = 0, most = 0] = [took[TIMES / 2], took.at(-1)];
      t.comment(
        `${way.title}: ${path}: median of ${TIMES}: ${median.toFixed(1)} ms, at most ${most.toFixed(1)}`,
      );
    }
  });

  t.test(`${way.title} / long-polls → answered when something is published`, async (t) => {
    const on = await behind(t, way);
    const channel = fetch(`${on.url}/v1/stream/news?live=long-poll&offset=now`);
    const several = fetch(`${on.url}/v1/read?channel=news&channel=more&waitMs=25000`);
    await waiting(on, 3);
    await on.app.earshot.publish('news', 1);
    const answer = await channel;
    t.strictSame([answer.status, await answer.json()], [200, [1]]);
    t.equal(answer.headers.get('cache-control'), 'no-store', '"now" is another place for whoever asks later');
    const again = await fetch(`${on.url}/v1/stream/news?live=long-poll&offset=-1`);
    t.match(answer.headers.get('stream-next-offset'), again.headers.get('stream-next-offset') ?? '-');
    t.match(again.headers.get('cache-control'), /max-age/, 'from a place, it is the same for everybody');
    t.match(await (await several).json(), { cursor: /./, envelopes: [{ type: 'message', data: 1 }] });
    await eventually('the end of both', () => on.app.earshot.stats().sessions === 0);
  });

  t.test(`${way.title} / a long-poll whose client leaves → its session is over`, async (t) => {
    const on = await behind(t, way);
    const leave = new AbortController();
    const left = fetch(`${on.url}/v1/read?channel=news&waitMs=25000`, { signal: leave.signal });
    await waiting(on, 1);
    leave.abort();
    await t.rejects(left);
    await eventually('the end', () => on.app.earshot.stats().sessions === 0);
  });

  t.test(
    `${way.title} / make, append, read, ask for what is known, describe, delete → as without it`,
    async (t) => {
      const { url, versions } = await behind(t, way);
      const at = `${url}/v1/stream/made`;
      const made = await fetch(at, { method: 'PUT', headers: JSON_TYPE });
      t.equal(made.status, 201);
      t.match(made.headers.get('location'), /^http:.*\/v1\/stream\/made$/);
      const producer = { ...JSON_TYPE, 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0' };
      for (const status of [200, 204]) {
        const appended = await fetch(at, { method: 'POST', headers: producer, body: '[{"a":1},2]' });
        t.equal(appended.status, status);
        t.equal(appended.headers.get('producer-seq'), '0');
      }
      const read = await fetch(`${at}?offset=-1`);
      t.strictSame(await read.json(), [{ a: 1 }, 2]);
      const etag = read.headers.get('etag') ?? '';
      t.match(etag, /^".+"$/);
      const known = await fetch(`${at}?offset=-1`, { headers: { 'if-none-match': etag } });
      t.strictSame([known.status, await known.text()], [304, '']);
      const described = await fetch(at, { method: 'HEAD' });
      t.equal(described.status, 200);
      t.equal(described.headers.get('stream-next-offset'), read.headers.get('stream-next-offset'));
      t.equal(described.headers.get('content-type'), 'application/json');
      t.equal((await fetch(at, { method: 'DELETE' })).status, 204);
      t.equal((await fetch(at)).status, 404);
      t.strictSame([...versions], [way.version]);
    },
  );
}
