import t from 'tap';
import { isProblem } from './scene.js';
import type { Case, Sent } from './streams-scene.js';
import {
  allRefused,
  ask,
  bad,
  begin,
  post,
  put,
  streamScene,
  tailOf,
  undisturbedStreams,
} from './streams-scene.js';

t.setTimeout(120_000);

const read = (query: string, headers: Sent['headers'] = {}): Sent => ({ path: `/v1/read${query}`, headers });

t.test('parameters / malformed → 400 in words', async (t) => {
  const on = await streamScene(t);
  const many = (count: number) => Array.from({ length: count }, (_, at) => `channel=c${at}`).join('&');
  const cases: Case[] = [
    ['no channel', read(''), bad()],
    ['an empty query', read('?'), bad()],
    ['129 channels', read(`?${many(129)}`), { status: 429, code: 'too_many' }],
    ['a channel twice', read('?channel=a&channel=a'), bad()],
    ...['', '..', 'a//b', '%ff', 'x'.repeat(201), 'a,b'].map(
      (name): Case => [name, read(`?channel=${name}`), bad('bad_channel')],
    ),
    ...['-1', 'NaN', '1e3', '1.5', '', '9999999999', '0x10', ' '].map(
      (wait): Case => [wait, read(`?channel=a&waitMs=${encodeURIComponent(wait)}`), bad()],
    ),
    ['waitMs twice', read('?channel=a&waitMs=0&waitMs=0'), bad()],
    ['presence', read('?channel=a&presence=yes'), bad()],
    ['presence twice', read('?channel=a&presence=true&presence=true'), bad()],
    ...['live=sse', 'channels=a', '__proto__=1', 'limit=5', 'Channel=a', '']
      .filter(Boolean)
      .map((more): Case => [more, read(`?channel=a&${more}`), bad()]),
    ...['x', '0', '', '-2'].map(
      (offset): Case => [offset, read(`?channel=a&offset=${offset}`), bad('bad_offset')],
    ),
    ['three offsets for two', read('?channel=a&channel=b&offset=-1&offset=-1&offset=-1'), bad()],
  ];
  await allRefused(t, on, cases);
  const events = cases.map(
    ([name, { path }, refusal]): Case => [
      `${name} as events`,
      { path: path ?? '', headers: { accept: 'text/event-stream' } },
      refusal,
    ],
  );
  await allRefused(t, on, events);
  t.equal((await ask(t, on, read(`?${many(128)}`))).status, 200, '128 channels');
  t.equal((await ask(t, on, read('?channel=a&waitMs=0'))).status, 200);
  await undisturbedStreams(t, on);
});

t.test(
  'a cursor / that no server gave out → 400; of another channel → says nothing of this one',
  async (t) => {
    const on = await streamScene(t);
    await put(on, 'a', {}, '[1,2]');
    const { cursor } = await answer('?channel=a&offset=-1');
    const [version = '', key = '', entry = ''] = cursor.split('.');
    const malformed = {
      empty: '',
      garbage: 'garbage',
      'a version of tomorrow': ['2', key, entry].join('.'),
      'no version': [key, entry].join('.'),
      'a short key': [version, key.slice(1), entry].join('.'),
      'a key of other letters': [version, key.toUpperCase().replace(/^./, 'G'), entry].join('.'),
      truncated: cursor.slice(0, -entry.length + 10),
      'an empty entry': `${cursor}.`,
      'a long entry': `${cursor}zzzzzzzzzzzz`,
      'a number beyond all': cursor.replace(/.$/, 'zzzzzzzzzzz'),
      'too many entries': [version, key, ...Array(129).fill(entry)].join('.'),
      'other characters': `${version}.${key}.${'é'.repeat(23)}`,
      'beyond the tail': cursor.replace(/.$/, '9'),
    };
    for (const [name, given] of Object.entries(malformed)) {
      await allRefused(t, on, [
        [name, read(`?channel=a&cursor=${encodeURIComponent(given)}`), bad('bad_offset')],
        [
          `${name} as events`,
          read('?channel=a', {
            accept: 'text/event-stream',
            'last-event-id': Buffer.from(given).toString('latin1'),
          }),
          bad('bad_offset'),
        ],
      ]);
    }
    isProblem(t, await ask(t, on, read(`?channel=a&cursor=${cursor}&cursor=${cursor}`)), bad());
    const twice = read('?channel=a', { accept: 'text/event-stream', 'last-event-id': [cursor, cursor] });
    isProblem(t, await ask(t, on, twice), bad('bad_offset'));
    await put(on, 'b', {}, '[1]');
    t.strictSame((await answer(`?channel=b&cursor=${cursor}`)).envelopes, [], 'b begins at its tail');
    await undisturbedStreams(t, on);

    async function answer(query: string): Promise<{ cursor: string; envelopes: unknown[] }> {
      return (await fetch(`${on.url}/v1/read${query}`)).json() as Promise<{ cursor: string; envelopes: [] }>;
    }
  },
);

t.test('a position / that is no longer kept → a gap, and then what is kept', async (t) => {
  const anonymous: ('subscribe' | 'publish' | 'history' | 'manage')[] = [
    'subscribe',
    'publish',
    'history',
    'manage',
  ];
  const on = await streamScene(t, { channels: { 'short/**': { anonymous, retention: { messages: 2 } } } });
  await put(on, 'short/a', {}, '[1]');
  await put(on, 'again', {}, '[1]');
  const [cut, former] = [await tailOf(on, 'short/a'), await tailOf(on, 'again')];
  await post(on, 'short/a', '[2,3,4]');
  await fetch(`${on.url}/v1/stream/again`, { method: 'DELETE' });
  await put(on, 'again', {}, '[5,6]');
  const kept = [
    ['short/a', cut, 'retention', [3, 4]],
    ['again', former, 'reset', [5, 6]],
  ] as const;
  for (const [channel, offset, reason, data] of kept) {
    const told = [{ type: 'gap', channel, reason }, ...data.map((each) => ({ type: 'message', data: each }))];
    const query = `?channel=${channel}&offset=${offset}`;
    t.match(await (await fetch(`${on.url}/v1/read${query}`)).json(), { envelopes: told });
    const raw = await begin(t, on, read(query, { accept: 'text/event-stream' }));
    const events = await raw.readUntil((bytes) => {
      const found = [...bytes.toString().matchAll(/^data:(.*)$/gm)].map(([, json = '']) => JSON.parse(json));
      return found.length >= told.length && found;
    });
    t.match(events, told);
    raw.socket.destroy();
  }
  await undisturbedStreams(t, on);
});
