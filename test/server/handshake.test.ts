import type { IncomingMessage } from 'node:http';
import t from 'tap';
import type { VerifyClient } from '../../src/server/options/hooks.js';
import { appOn } from '../support/app.js';
import { peer } from '../support/peer.js';
import type { HandshakeInit } from '../support/raw-socket.js';
import { frame, handshake, OPCODES, parseFrames, rawConnect } from '../support/raw-socket.js';
import { answerTo, GONE_MS, isProblem, ours, refused, scene, undisturbed } from './scene.js';

const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';
const BAD = { status: 400, code: 'bad_handshake' } as const;

t.test('handshake / it breaks RFC 6455 → 400 in words, and the socket is gone', async (t) => {
  const on = await scene(t);
  const table: Record<string, HandshakeInit> = {
    'no key': { headers: { 'sec-websocket-key': undefined } },
    'an empty key': { headers: { 'sec-websocket-key': '' } },
    'a short key': { headers: { 'sec-websocket-key': 'AAAA' } },
    'a long key': { headers: { 'sec-websocket-key': `${KEY}${KEY}` } },
    'a key twice': { headers: { 'sec-websocket-key': [KEY, KEY] } },
    'no version': { headers: { 'sec-websocket-version': undefined } },
    'version 12': { version: 12 },
    'version 8, with an origin of its own': { version: 8, headers: { 'sec-websocket-origin': 'http://a' } },
    'version 13.0': { version: '13.0' },
    'version twice': { headers: { 'sec-websocket-version': ['13', '13'] } },
    'HTTP/1.0': { httpVersion: '1.0' },
    'no Host': { headers: { host: undefined } },
    'an empty Host': { headers: { host: '' } },
    'a body by length': { headers: { 'content-length': '2' } },
    'a body in chunks': { headers: { 'transfer-encoding': 'chunked' } },
    h2c: { headers: { upgrade: 'h2c', 'sec-websocket-version': undefined } },
    'h2c with all the rest right': { headers: { upgrade: 'h2c' } },
    'two upgrades at once': { headers: { upgrade: 'websocket, h2c' } },
    'a blank subprotocol': { protocols: [' '] },
    'a subprotocol that is no token': { protocols: ['earshot.v1.json', 'a b'] },
    'a subprotocol twice': { protocols: ['earshot.v1.json', 'earshot.v1.json'] },
    'a subprotocol header twice': {
      headers: { 'sec-websocket-protocol': ['earshot.v1.json', 'earshot.v1.json'] },
    },
    'a comma and nothing': { protocols: ['earshot.v1.json', ''] },
    '5,000 spaces': { protocols: [`earshot.v1.json${' '.repeat(5000)}a`] },
    'an unknown subprotocol': { protocols: ['graphql-transport-ws'] },
    'an unknown one and a token': { protocols: ['earshot.v2.json', 'earshot.bearer.YQ'] },
    'ours in upper case': { protocols: ['EARSHOT.V1.JSON'] },
  };
  for (const [name, init] of Object.entries(table)) {
    await t.test(name, async (t) => {
      const { headers, body } = await refused(t, on, ours(init), BAD);
      t.equal(headers['sec-websocket-version'], '13');
      t.match(JSON.parse(body), { advice: 'never' });
    });
  }
});

t.test('handshake / another method → 405 with what is allowed', async (t) => {
  const on = await scene(t);
  for (const method of ['POST', 'PUT', 'OPTIONS']) {
    const response = await refused(t, on, ours({ method }), { status: 405, code: 'method_not_allowed' });
    t.equal(response.headers['allow'], 'GET');
  }
});

t.test('handshake / CONNECT → the socket is gone', async (t) => {
  const on = await scene(t);
  const raw = await rawConnect(t, on.port);
  await raw.send('CONNECT /ws HTTP/1.1\r\nhost: localhost\r\n\r\n');
  t.ok((await raw.closed).afterMs < GONE_MS);
  await undisturbed(t, on);
});

t.test('handshake / frames right behind one that is refused → the answer arrives all the same', async (t) => {
  const on = await scene(t, { dev: false, anonymous: true, origins: [] });
  const flood = Buffer.alloc(100_000, frame({ payload: 'early' }));
  const early = (init: HandshakeInit) => Buffer.concat([Buffer.from(ours(init)), flood]);
  await refused(t, on, early({ version: 12 }), BAD);
  await refused(t, on, early({ headers: { origin: 'http://evil' } }), { status: 403, code: 'forbidden' });
});

t.test('handshake / a path that is not ours → 404, and the socket is gone', async (t) => {
  const on = await scene(t);
  const paths = [
    '/',
    '/ws/',
    '/%ZZ',
    '//ws',
    '/ws%2f',
    '/WS',
    '/w%73',
    '/ws;a',
    '/ws/../ws',
    '*',
    'http://localhost/ws',
  ];
  for (const path of paths) {
    await t.test(path, async (t) => {
      isProblem(t, await answerTo(t, on.port, ours({ path })), { status: 404, code: 'not_found' });
      await undisturbed(t, on);
    });
  }
});

t.test('handshake / a query on our path → is accepted', async (t) => {
  const { wsUrl } = await scene(t);
  for (const query of ['?', '?x', '?x=1&y=/ws/', '?%ZZ']) {
    const { session } = await (await peer(t, `${wsUrl}${query}`)).next('welcome');
    t.ok(session);
  }
});

t.test('handshake / 200 subprotocols, ours among them → ours is answered', async (t) => {
  const { port } = await scene(t);
  const protocols = [...Array.from({ length: 200 }, (_, at) => `p${at}`), 'earshot.v1.json'];
  const raw = await rawConnect(t, port);
  await raw.send(ours({ protocols }));
  t.match(await raw.response(), { status: 101, headers: { 'sec-websocket-protocol': 'earshot.v1.json' } });
});

t.test('handshake / headers without end → 431, and the socket is gone', async (t) => {
  const on = await scene(t);
  const large = { 'x-large': 'a'.repeat(20_000) };
  const many = Object.fromEntries(Array.from({ length: 2100 }, (_, at) => [`x-${at}`, 'abcd']));
  for (const headers of [large, many]) {
    t.equal((await answerTo(t, on.port, ours({ headers }))).status, 431);
    await undisturbed(t, on);
  }
});

t.test('handshake / headers beyond what Node keeps → no worse than without them', async (t) => {
  const on = await scene(t);
  const short = Object.fromEntries(Array.from({ length: 1500 }, (_, at) => [`x${at.toString(36)}`, '1']));
  const { status } = await answerOrUpgrade(t, on.port, ours({ headers: short }));
  t.ok([101, 400, 431].includes(status), `it was ${status}`);
  await undisturbed(t, on);
});

t.test('handshake / no HTTP at all → 400 or nothing, and the socket is gone', async (t) => {
  const on = await scene(t);
  const junk = ['\0\0\0\0', 'GET\r\n\r\n', 'GET /ws HTTP/9.9\r\n\r\n', '\x16\x03\x01\x02\0\x01'];
  for (const bytes of junk) {
    t.equal((await answerTo(t, on.port, `${bytes}\r\n\r\n`)).status, 400);
    await undisturbed(t, on);
  }
});

t.test('handshake / extensions that are none of ours or malformed → harmless', async (t) => {
  const values = ['__proto__', 'constructor', '__proto__; a=1', 'x-unknown', 'permessage-deflate; a="b'];
  const without = await scene(t);
  for (const value of values) {
    const headers = { 'sec-websocket-extensions': value };
    const answer = await answerOrUpgrade(t, without.port, ours({ headers }));
    t.match(answer, { status: 101, headers: { 'sec-websocket-extensions': undefined } }, value);
  }
  const withDeflate = await scene(t, { perMessageDeflate: true });
  for (const value of values.slice(0, 4)) {
    const headers = { 'sec-websocket-extensions': value };
    const answer = await answerOrUpgrade(t, withDeflate.port, ours({ headers }));
    t.match(answer, { status: 101, headers: { 'sec-websocket-extensions': undefined } }, value);
  }
  const malformed = [
    ...values.slice(4),
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; unknown=1',
    'permessage-deflate; client_max_window_bits; client_max_window_bits',
    'permessage-deflate,',
  ];
  for (const value of malformed) {
    await t.test(value, async (t) => {
      await refused(t, withDeflate, ours({ headers: { 'sec-websocket-extensions': value } }), BAD);
    });
  }
});

t.test('handshake / h2c on a path of HTTP → is served as the request that it is', async (t) => {
  const on = await scene(t);
  const headers = { upgrade: 'h2c', connection: 'Upgrade, HTTP2-Settings', 'http2-settings': 'AAMAAABk' };
  const live = await answerTo(t, on.port, handshake({ path: '/livez', headers }));
  t.match(live, { status: 200, body: '{"status":"ok"}' });
  const none = await answerTo(t, on.port, handshake({ path: '/none', headers }));
  isProblem(t, none, { status: 404, code: 'not_found' });
  await undisturbed(t, on);
});

t.test('handshake / bytes of frames right behind it → are read', async (t) => {
  const { port } = await scene(t);
  const raw = await rawConnect(t, port);
  const early = [frame({ opcode: OPCODES.ping, payload: 'p' }), frame({ payload: '{"type":"ping","id":5}' })];
  await raw.send(Buffer.concat([Buffer.from(ours()), ...early]));
  t.equal((await raw.response()).status, 101);
  await raw.readUntil((bytes) => {
    const texts = parseFrames(bytes).frames.map(({ opcode, payload }) => `${opcode} ${payload}`);
    return texts.includes('10 p') && texts.includes('1 {"type":"pong","id":5}');
  });
  t.pass();
});

t.test('handshake / it comes byte by byte → is served', async (t) => {
  const { port } = await scene(t);
  const raw = await rawConnect(t, port);
  raw.socket.setNoDelay(true);
  for (const char of ours()) await raw.send(char);
  t.equal((await raw.response()).status, 101);
});

t.test('handshake / it stops half-way → 408, and the socket is gone', async (t) => {
  const on = await scene(t);
  on.app.server.headersTimeout = 100; // looked at once a second
  const raw = await rawConnect(t, on.port);
  await raw.send(ours().slice(0, -2));
  t.equal((await raw.response()).status, 408);
  await raw.closed;
  await undisturbed(t, on);
});

t.test('handshake / a reset while the token is being checked → nothing is left of it', async (t) => {
  const { verifyClient, asked, answer } = slowHook();
  const on = await scene(t, { verifyClient });
  const raw = await rawConnect(t, on.port);
  await raw.send(ours({ path: '/ws?slow' }));
  const request = await asked;
  raw.socket.resetAndDestroy();
  await new Promise((resolve) => request.socket.once('close', resolve));
  answer(true);
  await undisturbed(t, on);
  t.equal(on.app.earshot.sessions.count, 1, 'only the bystander has a session');
});

t.test(
  'handshake / the client ends its side while the token is being checked → nothing is left',
  async (t) => {
    const { verifyClient, asked, answer } = slowHook();
    const on = await scene(t, { verifyClient });
    const raw = await rawConnect(t, on.port);
    await raw.send(ours({ path: '/ws?slow' }));
    const request = await asked;
    raw.socket.end();
    answer(true);
    await raw.closed;
    t.ok(request.socket.destroyed || request.socket.writableEnded);
    await undisturbed(t, on);
    t.equal(on.app.earshot.sessions.count, 1);
  },
);

t.test('origin / none of those on the list → 403', async (t) => {
  const on = await scene(t, {
    dev: false,
    anonymous: true,
    origins: ['https://good.example', 'https://good.example:8443'],
  });
  const table = [
    'null',
    '',
    'https://good.example:444',
    'http://good.example',
    'https://good.example.evil',
    'https://evil.good.example',
    'https://evil/https://good.example',
    'https://good.example/',
    'HTTPS://GOOD.EXAMPLE',
    'https://GOOD.example',
    'https://good.example.',
    'https://good.example@evil',
    'file://',
    'http://localhost',
  ];
  for (const origin of table) {
    await t.test(origin || 'empty', async (t) => {
      await refused(t, on, ours({ headers: { origin } }), { status: 403, code: 'forbidden' });
    });
  }
  const twice = ours({ headers: { origin: ['https://good.example', 'https://evil'] } });
  await t.test('two, the first of them good', async (t) => {
    const { status } = await answerOrUpgrade(t, on.port, twice);
    t.ok(status === 403 || status === 101, 'Node keeps the first of them'); // what a browser can't send
  });
  for (const origin of ['https://good.example', 'https://good.example:8443', undefined]) {
    t.equal((await answerOrUpgrade(t, on.port, ours({ headers: { origin } }))).status, 101, origin ?? 'none');
  }
});

t.test('origin / "same" → the host of the request, with its port, and no other', async (t) => {
  const on = await scene(t, { dev: false, anonymous: true });
  const host = `127.0.0.1:${on.port}`;
  const accepted = [`http://${host}`, `https://${host}`];
  const refusedOrigins = [
    'http://127.0.0.1',
    'http://127.0.0.1:1',
    `ws://${host}`,
    `http://${host}.evil`,
    'null',
  ];
  for (const origin of accepted) {
    t.equal((await answerOrUpgrade(t, on.port, ours({ headers: { host, origin } }))).status, 101, origin);
  }
  for (const origin of refusedOrigins) {
    await t.test(origin, async (t) => {
      await refused(t, on, ours({ headers: { host, origin } }), { status: 403, code: 'forbidden' });
    });
  }
});

t.test('origin / development → pages of this machine, and no other', async (t) => {
  const on = await scene(t);
  for (const origin of ['null', 'file://', 'http://localhost:5173', 'http://127.0.0.1', 'http://[::1]:80']) {
    t.equal((await answerOrUpgrade(t, on.port, ours({ headers: { origin } }))).status, 101, origin);
  }
  for (const origin of [
    'http://evil',
    'http://localhost.evil',
    'http://127.0.0.1.evil',
    'http://localhost@evil',
  ]) {
    await t.test(origin, async (t) => {
      await refused(t, on, ours({ headers: { origin } }), { status: 403, code: 'forbidden' });
    });
  }
});

t.test(
  'verifyClient / a hook of one argument → its verdict holds, awaited where it is a promise',
  async (t) => {
    const verdicts: Record<string, (info: unknown) => boolean | Promise<boolean>> = {
      false: () => false,
      'a promise of false': async () => false,
      'neither true nor false': () => 1 as unknown as boolean, // from JavaScript
      nothing: () => undefined as unknown as boolean,
    };
    for (const [name, hook] of Object.entries(verdicts)) {
      await t.test(name, async (t) => {
        const on = await scene(t, { verifyClient: onlyWhere('/ws?asked', hook) });
        await refused(t, on, ours({ path: '/ws?asked' }), { status: 403, code: 'forbidden' });
      });
    }
    for (const hook of [() => true, async () => true]) {
      const { port } = await scene(t, { verifyClient: onlyWhere('/ws?asked', hook) });
      t.equal((await answerOrUpgrade(t, port, ours({ path: '/ws?asked' }))).status, 101);
    }
  },
);

t.test('verifyClient / a hook that calls back → its status and words are the answer', async (t) => {
  const answers: (readonly [boolean, number?, string?])[] = [
    [false],
    [false, 401],
    [false, 402, 'pay first'],
    [false, 403],
    [false, 200, 'no status of a refusal'],
  ];
  for (const [verified, status, message] of answers) {
    const verifyClient: VerifyClient = ({ req }, answer) => {
      if (req.url === '/ws') answer(true);
      else setImmediate(() => answer(verified, status, message));
    };
    const on = await scene(t, { verifyClient });
    const sent = status === 200 ? 403 : (status ?? 403);
    const expected = { status: sent, code: sent === 401 ? 'unauthenticated' : 'forbidden' } as const;
    const { body } = await refused(t, on, ours({ path: '/ws?asked' }), expected);
    t.match(JSON.parse(body), { detail: message ?? 'refused' });
  }
});

t.test(
  'verifyClient / over HTTP → asked as well, so that nobody gets round it and a page learns why',
  async (t) => {
    const { url } = await appOn(t, {
      dev: true,
      verifyClient: (_info, answer) => answer(false, 402, 'pay first'),
    });
    const publish = '[{"type":"publish","id":1,"channel":"lobby","data":1}]';
    const headers = { 'content-type': 'application/json' };
    for (const response of [
      await fetch(`${url}/v1/session`),
      await fetch(`${url}/v1/commands`, { method: 'POST', headers, body: publish }),
    ]) {
      t.equal(response.status, 402);
      t.match(await response.json(), { code: 'forbidden', detail: 'pay first', status: 402 });
    }
  },
);

t.test('verifyClient / a hook that fails in any way → 500, and the process lives', async (t) => {
  const error = new Error('the hook is broken');
  const hooks: Record<string, VerifyClient> = {
    'throws, one argument': onlyWhere('/ws?asked', () => {
      throw error;
    }),
    'rejects, one argument': onlyWhere('/ws?asked', () => Promise.reject(error)),
    'throws, two arguments': ({ req }, answer) => {
      if (req.url !== '/ws') throw error;
      answer(true);
    },
    'rejects, two arguments': async ({ req }, answer) => {
      if (req.url !== '/ws') throw error;
      answer(true);
    },
  };
  for (const [name, verifyClient] of Object.entries(hooks)) {
    await t.test(name, async (t) => {
      const on = await scene(t, { verifyClient });
      const { body } = await refused(t, on, ours({ path: '/ws?asked' }), { status: 500, code: 'internal' });
      t.notMatch(body, 'broken', 'the peer is not told what is ours');
    });
  }
});

t.test('verifyClient / a hook that never answers, or twice → refused in time, taken once', async (t) => {
  const never: VerifyClient = ({ req }, answer) => {
    if (req.url === '/ws') answer(true);
    if (req.url === '/ws?twice') {
      answer(true);
      answer(false, 402);
    }
  };
  const on = await scene(t, { verifyClient: never, handshakeTimeoutMs: 50 });
  const { headers } = await refused(t, on, ours({ path: '/ws?never' }), { status: 503, code: 'unavailable' });
  t.match(headers['retry-after'], /^\d+$/);
  t.equal((await answerOrUpgrade(t, on.port, ours({ path: '/ws?twice' }))).status, 101);
});

t.test(
  'handleProtocols / it fails, or selects what was not offered → refused, and the process lives',
  async (t) => {
    const on = await scene(t, {
      handleProtocols: (offered) => {
        t.notOk(
          [...offered].some((value) => value.startsWith('earshot.bearer.')),
          'a token is not shown',
        );
        if (offered.has('throws')) throw new Error('the hook is broken');
        if (offered.has('rejects')) return Promise.reject(new Error('the hook is broken'));
        if (offered.has('later')) return Promise.resolve('later');
        return offered.has('mine') ? 'mine' : 'never.offered';
      },
    });
    const selected = async (protocol: string) => {
      const { status, headers } = await answerOrUpgrade(t, on.port, ours({ protocols: [protocol] }));
      return [status, headers['sec-websocket-protocol']];
    };
    t.strictSame(await selected('throws'), [500, undefined]);
    t.strictSame(await selected('rejects'), [500, undefined]);
    t.strictSame(await selected('other'), [400, undefined]);
    t.strictSame(await selected('mine'), [101, 'mine']);
    t.strictSame(await selected('later'), [101, 'later']);
    await undisturbed(t, on);
  },
);

/** The answer, be it the upgrade: the socket is let go of either way. */
async function answerOrUpgrade(t: { teardown(work: () => unknown): void }, port: number, bytes: string) {
  const raw = await rawConnect(t, port);
  await raw.send(bytes);
  const response = await raw.response();
  raw.socket.destroy();
  return response;
}

/** A hook of one argument that is asked for one URL, and says yes to every other. */
function onlyWhere(url: string, hook: (info: unknown) => boolean | Promise<boolean>): VerifyClient {
  return (info: { req: IncomingMessage }) => (info.req.url === url ? hook(info) : true);
}

/** A hook that waits for the test's verdict on `/ws?slow`. */
function slowHook() {
  let ask: (request: IncomingMessage) => void = () => {};
  let answer: (verdict: boolean) => void = () => {};
  const asked = new Promise<IncomingMessage>((resolve) => {
    ask = resolve;
  });
  const verdict = new Promise<boolean>((resolve) => {
    answer = resolve;
  });
  const verifyClient: VerifyClient = async ({ req }: { req: IncomingMessage }) => {
    if (req.url !== '/ws?slow') return true;
    ask(req);
    return verdict;
  };
  return { verifyClient, asked, answer };
}
