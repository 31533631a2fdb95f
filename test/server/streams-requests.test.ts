import t from 'tap';
import { isProblem } from './scene.js';
import type { Case, Sent } from './streams-scene.js';
import {
  allRefused,
  ask,
  bad,
  JSON_BODY,
  post,
  put,
  streamScene,
  tailOf,
  undisturbedStreams,
} from './streams-scene.js';

t.setTimeout(120_000);

const at = (channel: string, query = '') => `/v1/stream/${channel}${query}`;
const notFound = { status: 404, code: 'not_found' };
const notAllowed = { status: 405, code: 'method_not_allowed' };

t.test('methods / that are none of the path → 405 with those that are, others 404, in words', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a');
  const cases: Case[] = [
    ['QUERY', { method: 'QUERY', path: at('a') }, bad('bad_envelope')], // before it is routed: it needs a body
  ];
  for (const path of [at('a'), '/v1/read?channel=a'])
    cases.push([`PATCH ${path}`, { method: 'PATCH', path }, notAllowed]);
  for (const method of ['PROPFIND', 'REPORT', 'TRACE', 'PURGE', 'LINK'])
    for (const path of [at('a'), '/v1/read?channel=a'])
      cases.push([`${method} ${path}`, { method, path }, notFound]);
  for (const method of ['PUT', 'DELETE', 'POST'])
    cases.push([`${method} /v1/read`, { method, path: '/v1/read?channel=a' }, notAllowed]);
  await allRefused(t, on, cases);
  const head = await fetch(`${on.url}/v1/read?channel=a`, { method: 'HEAD' });
  t.same([head.status, head.headers.get('allow')], [405, 'GET, OPTIONS']);
  const patch = await fetch(on.url + at('a'), { method: 'PATCH' });
  t.equal(patch.headers.get('allow'), 'GET, HEAD, POST, PUT, DELETE, OPTIONS');
  const nonsense = await ask(t, on, { method: 'FETCH', path: at('a') });
  isProblem(t, nonsense, bad());
  await undisturbedStreams(t, on);
});

t.test('names / of no channel → 400, of what is reserved → 404; 200 characters are one', async (t) => {
  const on = await streamScene(t);
  const names = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '.',
    '..',
    'a/../b',
    '%2e%2e/a',
    'a/%2E/b',
    'a%00b',
    'a%20b',
    'a+b',
    'a%0d%0ab',
    'caf%C3%A9',
    'a%252Fb',
    'a,b',
    'a;b',
    'a*',
    '{a}',
    'x'.repeat(201),
    Array(9).fill('a').join('/'),
  ];
  const cases = names.flatMap((name): Case[] =>
    ['GET', 'PUT', 'POST', 'DELETE'].map((method) => [
      `${method} ${name}`,
      { method, path: at(name), headers: JSON_BODY, ...(method !== 'GET' && { body: '1' }) },
      bad('bad_channel'),
    ]),
  );
  const reserved = ['__ds', '__ds/subscriptions/a', '__ds/jwks.json', '%5f_ds/a'];
  await allRefused(t, on, [
    ...cases,
    ...reserved.map((name): Case => [name, { path: at(name) }, notFound]),
    ['no channel at all', { path: '/v1/stream' }, notFound],
    ['a URL that is no text', { path: at('%ff%fe') }, bad()],
    ['half an escape', { path: at('a%2') }, bad()],
    ['a longer URL than is read', { path: at('x'.repeat(100_000)) }, bad('too_large', 431)],
  ]);
  t.equal((await put(on, 'x'.repeat(200))).status, 201);
  t.equal((await put(on, 'a%2Fb')).status, 201);
  t.equal((await fetch(on.url + at('a/b'))).status, 200, 'the same name, written otherwise');
  await undisturbedStreams(t, on);
});

t.test('headers of a PUT / malformed → 400, and nothing is made', async (t) => {
  const on = await streamScene(t);
  await put(on, 'source', {}, '[1,2,3]');
  const tail = await tailOf(on, 'source');
  const from = { 'stream-forked-from': at('source') };
  const later = new Date(Date.now() + 3_600_000).toISOString();
  const refusedWith: readonly [Record<string, string | readonly string[]>, ReturnType<typeof bad>?][] = [
    ...['', '-1', '+1', '01', '1.5', '1e3', '0x10', 'NaN', 'Infinity', ' ', '1 2', '9'.repeat(16), '٣'].map(
      (ttl): [Record<string, string>] => [{ 'stream-ttl': Buffer.from(ttl).toString('latin1') }],
    ),
    [{ 'stream-ttl': ['60', '60'] }],
    ...['', 'tomorrow', '2040-01-01', '2040-13-01T00:00:00Z', '2040-01-01T00:00:00', '1e400'].map(
      (end): [Record<string, string>] => [{ 'stream-expires-at': end }],
    ),
    [{ 'stream-ttl': '60', 'stream-expires-at': later }],
    [{ 'stream-fork-offset': tail }],
    [{ 'stream-fork-sub-offset': '1' }],
    [{ 'stream-forked-from': 'source' }],
    [{ 'stream-forked-from': `http://localhost${at('source')}` }],
    [{ 'stream-forked-from': at('%ff') }],
    [{ 'stream-forked-from': at('../source') }, bad('bad_channel')],
    [{ 'stream-forked-from': '' }],
    [{ 'stream-forked-from': at('nowhere') }, notFound],
    [{ 'stream-forked-from': [at('source'), at('source')] }, bad('bad_channel')],
    ...['', 'x', '-2', `${tail}0`, tail.replace(/.$/, '9'), tail.toUpperCase()].map(
      (offset): [Record<string, string>, ReturnType<typeof bad>] => [
        { ...from, 'stream-fork-offset': offset },
        bad('bad_offset'),
      ],
    ),
    ...['', '-1', '1.5', 'x', '1e1'].map((skip): [Record<string, string>] => [
      { ...from, 'stream-fork-offset': '-1', 'stream-fork-sub-offset': skip },
    ]),
    [{ ...from, 'stream-fork-offset': '-1', 'stream-fork-sub-offset': '4' }, bad('bad_offset')],
    [{ ...from, 'content-type': 'text/plain' }, bad('conflict', 409)],
    ...['json', 'a/', '/b', 'a b/c', 'application/json application/json'].map(
      (type): [Record<string, string>] => [{ 'content-type': type }],
    ),
    [{ 'content-type': `a/${'b'.repeat(300)}` }],
  ];
  await allRefused(
    t,
    on,
    refusedWith.map(([headers, refusal = bad()]) => [
      JSON.stringify(headers).slice(0, 100),
      { method: 'PUT', path: at('made'), headers },
      refusal,
    ]),
  );
  t.equal((await fetch(on.url + at('made'))).status, 404, 'nothing was made');
  await undisturbedStreams(t, on);
});

t.test('headers of a POST / malformed → refused, and nothing is stored', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a');
  const whole = { 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0' };
  const cases: [Record<string, string | readonly string[] | undefined>, ReturnType<typeof bad>?][] = [];
  for (const name of Object.keys(whole)) cases.push([{ ...whole, [name]: undefined }]);
  for (const value of ['', '-1', '1.5', 'x', '01', '1e1', '9007199254740992', '99999999999999999999']) {
    cases.push([{ ...whole, 'producer-epoch': value }], [{ ...whole, 'producer-seq': value }]);
  }
  cases.push(
    [{ ...whole, 'producer-id': '' }],
    [{ ...whole, 'producer-id': 'p'.repeat(129) }],
    [{ ...whole, 'producer-seq': ['0', '0'] }],
    [{ ...whole, 'producer-seq': '1' }, bad('out_of_sequence', 409)],
    [{ 'stream-seq': '' }],
    [{ 'stream-seq': 's'.repeat(129) }],
    [{ 'content-type': undefined }],
    [{ 'content-type': '' }],
    [{ 'content-type': 'nonsense' }],
    [{ 'content-type': 'text/plain' }, bad('conflict', 409)],
    [{ 'content-encoding': 'gzip' }, bad('unsupported_media', 415)],
  );
  await allRefused(
    t,
    on,
    cases.map(([headers, refusal = bad()]) => {
      const sent: Sent = {
        method: 'POST',
        path: at('a'),
        headers: { ...JSON_BODY, ...headers },
        body: '[1]',
      };
      return [JSON.stringify(headers).slice(0, 100), sent, refusal];
    }),
  );
  t.equal(await (await fetch(on.url + at('a'))).text(), '[]');
  t.equal((await post(on, 'a', '1', { ...whole, 'producer-epoch': '9007199254740991' })).status, 200);
  t.equal((await post(on, 'a', '1', { 'stream-closed': 'yes' })).status, 204, 'anything but true is nothing');
  t.equal((await post(on, 'a', '1', { 'content-encoding': 'identity' })).status, 204);
  for (const type of ['nonsense', 'text/plain', '']) {
    const closing = {
      method: 'POST',
      path: at('a'),
      headers: { 'stream-closed': 'true', 'content-type': type },
    };
    t.equal((await ask(t, on, closing)).status, 204, `a close without a body, of type "${type}"`);
  }
  await undisturbedStreams(t, on);
});

t.test('offsets / that are none → 400; of a former life, or cut off → 410', async (t) => {
  const on = await streamScene(t, {
    channels: { 'short/**': { anonymous: [...ALL], retention: { messages: 2 } } },
  });
  for (const channel of ['a', 'other', 'again', 'short/a']) await put(on, channel, {}, '[1]');
  const tail = await tailOf(on, 'a');
  const [other, former, first] = [
    await tailOf(on, 'other'),
    await tailOf(on, 'again'),
    await tailOf(on, 'short/a'),
  ];
  await fetch(on.url + at('again'), { method: 'DELETE' });
  await put(on, 'again', {}, '[1]');
  await post(on, 'short/a', '[2,3,4]');
  const past = tail.replace(/.$/, '9');
  const gone = { status: 410, code: 'gone' };
  const malformed = ['', 'x', '-2', '0', '1', `${tail}0`, tail.slice(1), tail.toUpperCase(), 'Now', '-1%20'];
  for (const live of ['', '&live=long-poll', '&live=sse']) {
    const read = (channel: string, query: string): Sent => ({ path: at(channel, `?${query}${live}`) });
    await allRefused(t, on, [
      ...malformed.map((offset): Case => [offset, read('a', `offset=${offset}`), bad('bad_offset')]),
      ['twice', read('a', 'offset=-1&offset=-1'), bad()],
      ['beyond the tail', read('a', `offset=${past}`), bad('bad_offset')],
      ['of another channel', read('a', `offset=${other}`), gone],
      ['of a former life', read('again', `offset=${former}`), gone],
      ['cut by retention', read('short/a', `offset=${first}`), gone],
      ['of no channel', read('nowhere', 'offset=-1'), notFound],
    ]);
  }
  await allRefused(t, on, [
    ['live without an offset', { path: at('a', '?live=sse') }, bad('bad_offset')],
    ['a live mode that is none', { path: at('a', '?offset=-1&live=foo') }, bad()],
    ['an empty live mode', { path: at('a', '?offset=-1&live=') }, bad()],
    ['two live modes', { path: at('a', '?offset=-1&live=sse&live=sse') }, bad()],
    ['two cursors', { path: at('a', '?offset=now&live=long-poll&cursor=1&cursor=2') }, bad()],
    [
      'a Last-Event-ID that is none',
      { path: at('a', '?offset=-1&live=sse'), headers: { 'last-event-id': 'x' } },
      bad('bad_offset'),
    ],
    [
      'Last-Event-ID twice',
      { path: at('a', '?offset=-1&live=sse'), headers: { 'last-event-id': [tail, tail] } },
      bad('bad_offset'),
    ],
  ]);
  await undisturbedStreams(t, on);
});

const ALL = ['subscribe', 'publish', 'history', 'presence', 'manage'] as const;

t.test('If-None-Match / of any kind → 304 for what is known, else 200', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a', {}, '[1]');
  const { headers } = await fetch(on.url + at('a', '?offset=-1'));
  const etag = headers.get('etag') ?? '';
  const known = [etag, `W/${etag}`, `"x", ${etag}`, '*'];
  const unknown = ['', '"', 'x', `${etag}x`, ','.repeat(5000), etag.replaceAll('"', '')];
  for (const value of known) t.equal((await conditional(value)).status, 304, value);
  for (const value of unknown) t.equal((await conditional(value)).status, 200, value.slice(0, 50));
  await undisturbedStreams(t, on);

  function conditional(value: string) {
    return ask(t, on, { path: at('a', '?offset=-1'), headers: { 'if-none-match': value } });
  }
});

t.test(
  'Last-Event-ID / on a read that ends → changes nothing: what a cache keeps is known by its URL',
  async (t) => {
    const on = await streamScene(t);
    await put(on, 'a', {}, '[1,2]');
    const headers = { 'last-event-id': await tailOf(on, 'a') };
    const response = await fetch(on.url + at('a', '?offset=-1'), { headers });
    t.equal(await response.text(), '[1,2]');
    t.equal((await fetch(on.url + at('a', '?offset=-1'), { headers: { 'last-event-id': 'x' } })).status, 200);
    await undisturbedStreams(t, on);
  },
);
