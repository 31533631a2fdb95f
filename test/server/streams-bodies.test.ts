import t from 'tap';
import { eventually } from '../support/app.js';
import { rawConnect } from '../support/raw-socket.js';
import { isProblem, type Scene, undisturbed } from './scene.js';
import type { Case } from './streams-scene.js';
import {
  allRefused,
  ask,
  bad,
  begin,
  JSON_BODY,
  post,
  put,
  requestText,
  sessionsLeft,
  streamScene,
  undisturbedStreams,
} from './streams-scene.js';

t.setTimeout(120_000);

const PATH = '/v1/stream/a';
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const tooLarge = bad('too_large', 413);

async function stored({ url }: Scene, channel = 'a'): Promise<string> {
  return (await fetch(`${url}/v1/stream/${channel}`)).text();
}

t.test(
  'a body of JSON / that is none, too deep or too much → refused, and nothing of it is stored',
  async (t) => {
    const on = await streamScene(t);
    await put(on, 'a');
    const bodies: Record<string, readonly [body: string | Uint8Array, refusal: ReturnType<typeof bad>]> = {
      'no body': ['', bad()],
      spaces: [' \n\t', bad()],
      'no messages': ['[]', bad()],
      'no JSON': ['{"a":', bad()],
      'half an array': ['[1,2', bad()],
      'two arrays': ['[1],[2]', bad()],
      'two values': ['1 2', bad()],
      'a hole': ['[1,,2]', bad()],
      'a comma at the end': ['[1,2,]', bad()],
      'nothing but commas': [`[${','.repeat(1_000_000)}]`, tooLarge],
      NaN: ['NaN', bad()],
      'a character cut off': [Buffer.from('"caf\u00e9"').subarray(0, 5), bad()],
      'half a pair': [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), bad()],
      'no UTF-8 at all': [Buffer.from([0xff, 0xfe, 0x31]), bad()],
      'one bad of many': ['[1,2,{"a":}]', bad()],
      '10,001 messages': [`[${Array(10_001).fill('1').join(',')}]`, tooLarge],
      '65 levels': [nested(65 + 1), bad('bad_data', 422)],
      '100,000 levels': [nested(100_000), bad('bad_data', 422)],
      'one message over a frame': [`[1,"${'x'.repeat(64 * 1024)}"]`, tooLarge],
    };
    await allRefused(
      t,
      on,
      Object.entries(bodies).map(
        ([name, [body, refusal]]): Case => [
          name,
          { method: 'POST', path: PATH, headers: JSON_BODY, body },
          refusal,
        ],
      ),
    );
    t.equal(await stored(on), '[]');
    await undisturbedStreams(t, on);
  },
);

t.test('a body of JSON / of odd but good values → is stored as it came', async (t) => {
  const on = await streamScene(t);
  const values = [
    '{"__proto__":{"polluted":true},"constructor":1}',
    '{"a":1,"a":2}',
    '1e400',
    '-0',
    '123456789012345678901234567890',
    '"\\u0000\\ud800"',
    '"\u2028\u2029"',
    nested(64),
    `"${'x'.repeat(64 * 1024 - 2)}"`,
    '[[]]',
    'null',
  ];
  for (const value of values) {
    await put(on, 'a');
    t.equal((await post(on, 'a', `[${value}]`)).status, 204);
    t.equal(await stored(on), `[${value}]`);
    await fetch(on.url + PATH, { method: 'DELETE' });
  }
  t.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  await put(on, 'a');
  t.equal((await post(on, 'a', `[${Array(10_000).fill('1').join(',')}]`)).status, 204, '10,000 messages');
  await undisturbedStreams(t, on);
});

t.test(
  'the size of a body / as large as may be → 204, one byte more → 413, however it is told',
  async (t) => {
    const maxBodyBytes = 100_000;
    const on = await streamScene(t, { limits: { maxBodyBytes } });
    const type = { 'content-type': 'application/octet-stream' };
    await put(on, 'a', type);
    const headers = { ...type };
    const sent = { method: 'POST', path: PATH, headers };
    t.equal((await ask(t, on, { ...sent, body: 'x'.repeat(maxBodyBytes) })).status, 204);
    isProblem(t, await ask(t, on, { ...sent, body: 'x'.repeat(maxBodyBytes + 1) }), tooLarge);
    const told = await ask(t, on, { ...sent, headers: { ...headers, 'content-length': '99999999999' } });
    isProblem(t, told, tooLarge);
    const raw = await begin(t, on, { ...sent, headers: { ...headers, 'transfer-encoding': 'chunked' } });
    for (let each = 0; each < 12; each++) void raw.send(`2710\r\n${'x'.repeat(10_000)}\r\n`);
    isProblem(t, await raw.response(), tooLarge);
    await raw.closed; // it goes on and on, and is not listened to
    t.equal((await stored(on)).length, maxBodyBytes);
    await undisturbedStreams(t, on);
  },
);

t.test(
  'the length of a body / that lies, or is told in two ways → refused or ended, and nothing hangs',
  async (t) => {
    const on = await streamScene(t);
    await put(on, 'a');
    const sent = { method: 'POST', path: PATH };
    for (const headers of [
      { 'content-length': 'x' },
      { 'content-length': '-1' },
      { 'content-length': ['3', '4'] },
      { 'content-length': '3', 'transfer-encoding': 'chunked' },
      { 'transfer-encoding': 'chunked, chunked' },
      { 'transfer-encoding': 'gzip' },
    ]) {
      const raw = await begin(t, on, { ...sent, headers: { ...JSON_BODY, ...headers } });
      const response = await raw.response();
      isProblem(t, response, bad());
      await raw.closed;
    }
    const chunked = { ...JSON_BODY, 'transfer-encoding': 'chunked' };
    const garbled = await begin(t, on, { ...sent, headers: chunked });
    await garbled.send('zz\r\n');
    isProblem(t, await garbled.response(), bad());
    const shorter = await begin(t, on, { ...sent, headers: { ...JSON_BODY, 'content-length': '1' } });
    await shorter.send('1}}} nonsense\r\n\r\n');
    t.ok([204, 400].includes((await shorter.response()).status), 'what follows is no request');
    await shorter.closed;
    t.equal(await stored(on), '[1]');
    await undisturbedStreams(t, on);
  },
);

t.test('a body / that comes too slowly → 408, and the socket is gone', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a');
  on.app.server.requestTimeout = 100; // looked at once a second
  const slow = [
    await begin(t, on, { method: 'POST', path: PATH, headers: { ...JSON_BODY, 'content-length': '10' } }),
    await begin(t, on, { method: 'PUT', path: PATH, headers: { 'transfer-encoding': 'chunked' } }),
  ];
  for (const raw of slow) {
    await raw.send('1');
    isProblem(t, await raw.response(20_000), bad('bad_request', 408));
    await raw.closed;
  }
  on.app.server.requestTimeout = 30_000;
  t.equal(await stored(on), '[]');
  await undisturbed(t, on);
});

t.test('Expect / 100-continue → the body is asked for, and taken; anything else → 417', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a');
  const headers = { ...JSON_BODY, expect: '100-continue', 'content-length': '1' };
  const raw = await begin(t, on, { method: 'POST', path: PATH, headers });
  t.equal((await raw.response()).status, 100);
  await raw.send('1');
  t.equal((await raw.response()).status, 204);
  t.equal(
    (await ask(t, on, { method: 'POST', path: PATH, headers: { ...headers, expect: 'x' } })).status,
    417,
  );
  await undisturbedStreams(t, on);
});

t.test('a body / where none belongs → is read away', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a', {}, '[1]');
  const raw = await rawConnect(t, on.port);
  for (const sent of [
    { method: 'GET', path: PATH },
    { method: 'GET', path: '/v1/read?channel=a' },
    { method: 'DELETE', path: PATH },
  ]) {
    await raw.send(requestText({ ...sent, headers: { connection: 'keep-alive' }, body: '{"not":"mine"' }));
    const { status } = await raw.response();
    t.ok(status < 300, `${sent.method} is answered ${status}`);
  }
  await sessionsLeft(on, 2);
  await undisturbedStreams(t, on);
});

t.test('bytes / over a frame → are several messages, and read as they came', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a', { 'content-type': 'text/plain' });
  const text = `${'x'.repeat(64 * 1024 - 1)}é${'y'.repeat(64 * 1024)}`;
  t.equal((await post(on, 'a', text, { 'content-type': 'text/plain' })).status, 204);
  let [offset, read] = ['-1', ''];
  await eventually('the tail', async () => {
    const response = await fetch(`${on.url}${PATH}?offset=${offset}`);
    offset = response.headers.get('stream-next-offset') ?? '';
    read += await response.text();
    return response.headers.get('stream-up-to-date') === 'true';
  });
  t.equal(read, text);
  await undisturbedStreams(t, on);
});

t.test(
  'bodies / more at a time than there is room for → 503; once they are gone, there is room',
  async (t) => {
    const on = await streamScene(t, { limits: { maxBodyBytes: 1000, maxBodiesBytes: 1500 } });
    await put(on, 'a');
    const half = await rawConnect(t, on.port);
    const headers = { ...JSON_BODY, 'content-length': '1000' };
    await half.send(requestText({ method: 'POST', path: PATH, headers, body: '[' }));
    const small = () => post(on, 'a', `["${'x'.repeat(600)}"]`);
    await eventually('there is no room', async () => (await small()).status === 503);
    isProblem(
      t,
      await ask(t, on, { method: 'POST', path: PATH, headers: JSON_BODY, body: `["${'x'.repeat(600)}"]` }),
      {
        status: 503,
        code: 'unavailable',
      },
    );
    const command = `[{"type":"publish","id":1,"channel":"a","data":"${'x'.repeat(600)}"}]`;
    const commands = { method: 'POST', path: '/v1/commands', headers: JSON_BODY, body: command };
    isProblem(t, await ask(t, on, commands), bad('unavailable', 503));
    half.socket.destroy();
    await eventually('there is room', async () => (await small()).status === 204);
    t.equal((await ask(t, on, commands)).status, 200);
    await undisturbedStreams(t, on);
  },
);
