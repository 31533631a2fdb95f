import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import { diagnose } from '../../src/cli/doctor/diagnose.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { textOf } from '../../src/cli/doctor/finding.js';
import { BUFFERING_FIX } from '../../src/cli/doctor/fixes.js';
import type { DoctorFlags } from '../../src/cli/doctor/target.js';
import { targetFrom } from '../../src/cli/doctor/target.js';
import { CommandError } from '../../src/cli/failure.js';
import { appOn } from '../support/app.js';
import { freePort, runProcess } from '../support/spawn.js';

const SECRET = 'a secret of the tests that is longer than 32 bytes';
/** Of each step, where a server keeps us waiting on purpose. */
const PATIENCE_MS = 1000;

type Flags = Partial<DoctorFlags> & { readonly timeoutMs?: number };

/** What is found; nothing is silent unless said otherwise. */
async function findings(
  url: string,
  { timeoutMs, token, ...flags }: Flags = {},
): Promise<readonly Finding[]> {
  const target = targetFrom(url, { path: '/ws', idleSeconds: '0', ...flags }, token);
  const found: Finding[] = [];
  for await (const each of diagnose({ ...target, ...(timeoutMs && { timeoutMs }) }, () => {}))
    found.push(each);
  return found;
}

async function sign(): Promise<string> {
  const claims = new SignJWT({ name: 'Ann' }).setProtectedHeader({ alg: 'HS256' }).setSubject('u-1');
  return claims.setExpirationTime('1h').sign(new TextEncoder().encode(SECRET));
}

async function listening(t: Test, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // the doctor hangs up on what never ends
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return `http://127.0.0.1:${address.port}`;
}

/** A server that does this with each connection. */
function tcpOn(t: Test, serve: (socket: Socket) => void): Promise<string> {
  return listening(t, createTcpServer(serve));
}

/** A server of HTTP that answers so, whatever is asked. */
function httpOn(t: Test, answer: RequestListener): Promise<string> {
  return listening(t, createServer(answer));
}

/** Earshot as far as plain requests go; the upgrade is the test's. */
function almostEarshot(t: Test, upgrade: (socket: Socket, key: string) => void): Promise<string> {
  const server = createServer((request, response) => {
    const session = { user: null, name: 'n', expiresAt: null, protocol: 'earshot.v1.json' };
    const isProbe = request.url === '/readyz';
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(isProbe ? { status: 'ok', checks: {} } : session));
  });
  server.on('upgrade', (request, socket: Socket) =>
    upgrade(socket, request.headers['sec-websocket-key'] ?? ''),
  );
  return listening(t, server);
}

t.test('Earshot / a user of a page that is on the list, under a prefix → all is well', async (t) => {
  const on = await appOn(t, {
    dev: false,
    token: { secret: SECRET },
    origins: ['https://app.example'],
    prefix: '/live',
    path: '/socket',
    pingIntervalMs: 20_000,
  });
  const token = await sign();
  const flags = { token, origin: 'https://app.example', path: '/socket', idleSeconds: '0.3' };
  for (const url of [`${on.url}/live`, `${on.url}/live/`, on.wsUrl]) {
    const found = await findings(url, flags);
    t.match(found, [
      { check: 'reach', outcome: 'ok' },
      { check: 'session', outcome: 'ok', seen: /^we are the user u-1, called Ann, until \d{4}-/ },
      { check: 'upgrade', outcome: 'ok', seen: '101, welcomed as Ann; the server pings every 20 s' },
      { check: 'sse', outcome: 'ok' },
      {
        check: 'idle',
        outcome: 'ok',
        seen: /^a silence of 0\.3 s is borne \(stream of events, WebSocket\); .*20 s$/,
      },
    ]);
    t.notOk(JSON.stringify(found).includes(token), 'the token is shown to nobody');
  }
});

t.test('Earshot / refuses the caller → why, and what is to be done', async (t) => {
  const on = await appOn(t, { dev: false, token: { secret: SECRET } });
  const nobody = await findings(on.url);
  t.match(nobody, [
    { outcome: 'ok' },
    {
      outcome: 'fail',
      seen: /^refused with 401 unauthenticated \(refresh\): /,
      fix: { you: /--token-file/ },
    },
    { outcome: 'fail', seen: /^refused with 401 unauthenticated/ },
    { check: 'sse', outcome: 'warn', seen: /^not checked/ },
  ]);
  const [, badToken] = await findings(on.url, { token: 'e30.e30.e30' });
  t.match(badToken, { outcome: 'fail', fix: { you: /good now/ } });
  const [, stranger, page] = await findings(on.url, { token: await sign(), origin: 'https://evil.example' });
  const fix = {
    Earshot: /"origins": .*"https:\/\/evil\.example"/,
    nginx: /proxy_set_header Host/,
    Caddy: /Host/,
  };
  t.match(stranger, { check: 'session', outcome: 'fail', seen: /403 forbidden \(never\)/, fix });
  t.match(page, { check: 'upgrade', outcome: 'fail', seen: /403 forbidden \(never\)/, fix });
});

t.test('Earshot / drains → is told by each check', async (t) => {
  const on = await appOn(t);
  await on.app.earshot.drain();
  t.match(await findings(on.url), [
    { check: 'reach', outcome: 'warn', seen: /with 503, it is not ready: draining: draining$/ },
    { check: 'session', outcome: 'fail', seen: /^refused with 503 draining \(retry\)/ },
    { check: 'upgrade', outcome: 'fail', seen: /^refused with 503 draining \(retry\)/ },
    { check: 'sse', outcome: 'warn' },
  ]);
});

t.test('Earshot / without probes, at another path, with no room for streams → is told so', async (t) => {
  const on = await appOn(t, { probes: false });
  const [reached] = await findings(on.url);
  t.match(reached, { outcome: 'warn', seen: /its probes are not served here/ });
  const [, , upgrade] = await findings(on.url, { path: '/elsewhere' });
  t.match(upgrade, { outcome: 'fail', seen: /^404: /, fix: { you: /--path/ } });
  const streams = Array.from({ length: 100 }, () =>
    fetch(`${on.url}/v1/session?silentMs=120000`, { headers: { accept: 'text/event-stream' } }),
  );
  await Promise.all(streams);
  const [, , , sse, idle] = await findings(on.url, { idleSeconds: '0.1' });
  t.match(sse, { outcome: 'warn', seen: 'not checked: 429' });
  t.match(idle, { outcome: 'ok', seen: /\(WebSocket\)/ });
});

t.test('Earshot / ends during the silence → it is not the proxy that is blamed', async (t) => {
  const on = await appOn(t);
  const target = targetFrom(on.url, { path: '/ws', idleSeconds: '60' }, undefined);
  let idle: Finding | undefined;
  for await (const each of diagnose(target, () => void drainWhenHeld())) idle = each;
  t.match(idle, { check: 'idle', outcome: 'warn', seen: 'not checked: the server ended meanwhile' });

  async function drainWhenHeld() {
    await on.metricReaches(1, 'earshot_sessions');
    while (on.app.earshot.heldAnswers.count === 0) await new Promise((resolve) => setImmediate(resolve));
    await on.app.earshot.drain();
  }
});

t.test('reach / nobody, or somebody else → who', async (t) => {
  const [refused, ...more] = await findings(`http://127.0.0.1:${await freePort()}`);
  t.match(refused, { check: 'reach', outcome: 'fail', seen: /ECONNREFUSED/ });
  t.strictSame(more, [], 'nothing else is tried');
  t.match(await findings('http://nobody.invalid'), [{ outcome: 'fail', seen: /^DNS / }]);
  t.match(await findings('http://127.0.0.1:6000'), [{ outcome: 'fail', seen: /browsers refuse/ }]);
  const page = await httpOn(t, (_request, response) => {
    response.setHeader('server', 'Apache');
    response.setHeader('content-type', 'text/html');
    response.end('<p>hello');
  });
  const stranger =
    /^it is not Earshot that answers under this address, but 200 OK \(text\/html, from Apache\)$/;
  t.match(await findings(page), [{ outcome: 'fail', seen: stranger }]);
  t.match(await findings(page.replace('http', 'https')), [
    { outcome: 'fail', seen: /no TLS/, fix: { you: /http:/ } },
  ]);
});

const JUNK = 'x'.repeat(65_536);

/** What never ends, or is none of what it should be: told in a line, in bounded time. */
const HOSTILE: Readonly<Record<string, readonly [serve: (socket: Socket) => void, seen: RegExp]>> = {
  'says nothing': [() => {}, /^no answer within 1 s$/],
  'hangs up': [(socket) => socket.destroy(), /^the connection was (reset|ended)/],
  'speaks no HTTP': [(socket) => socket.end('SSH-2.0-OpenSSH\r\n'), /^what answers there is not HTTP/],
  'sends headers without end': [
    (socket) => pump(socket, 'HTTP/1.1 200 OK\r\n', `a: ${JUNK}\r\n`),
    /^(the headers of the answer are too large|what answers there is not HTTP|no answer within)/,
  ],
  'sends a header a second': [
    (socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\na:')),
    /^no answer within 1 s$/,
  ],
  'sends a body without end': [
    (socket) => pump(socket, 'HTTP/1.1 200 OK\r\n\r\n', JUNK),
    /^it is not Earshot that answers/,
  ],
  'stops in mid-body': [
    (socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{')),
    /^no answer within 1 s$/,
  ],
  'redirects for ever': [
    (socket) => respond(socket, '301 Moved\r\nlocation: /readyz\x9b31m\r\ncontent-length: 0'),
    /^a redirect, 301 Moved Permanently, which no WebSocket follows$/,
  ],
  'is a proxy without a server': [
    (socket) => respond(socket, '502 Bad\r\nserver: proxy\r\ncontent-length: 0'),
    /^a proxy answered 502 Bad Gateway \(from proxy\): it doesn't reach the server$/,
  ],
};

function respond(socket: Socket, head: string): void {
  socket.on('data', () => socket.write(`HTTP/1.1 ${head}\r\n\r\n`, 'latin1'));
}

/** Writes and writes, as fast as it is read. */
function pump(socket: Socket, head: string, body: string): void {
  socket.once('data', () => socket.write(head));
  const more = () => {
    while (socket.writable && socket.write(body));
  };
  socket.on('drain', more).once('data', more);
}

for (const [title, [serve, seen]] of Object.entries(HOSTILE)) {
  t.test(`hostile server / ${title} → one line, and the end`, async (t) => {
    const url = await tcpOn(t, serve);
    const found = await findings(url, { timeoutMs: PATIENCE_MS });
    t.match(found, [{ check: 'reach', outcome: 'fail', seen }]);
    t.equal(found.length, 1);
    t.notMatch(found.map(textOf).join(''), /[^\P{C}\n]/u, 'nothing that steers a terminal');
  });
}

const ACCEPT = (key: string) =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** What may come instead of a welcome. */
const UPGRADES: Readonly<
  Record<string, readonly [upgrade: (socket: Socket, key: string) => void, seen: RegExp]>
> = {
  'no answer': [() => {}, /^no answer to the handshake within 1000 ms$/],
  '101 and silence': [(socket, key) => accept(socket, key), /^101, and then no welcome within 1 s/],
  '101 and the end': [
    (socket, key) => accept(socket, key).end(),
    /^101, and then closed \(1006\) without a welcome$/,
  ],
  '101 and another language': [
    (socket, key) => accept(socket, key).write(Buffer.from('\x81\x05hello', 'latin1')),
    /^101, and then no welcome but: hello$/,
  ],
  '101 and a frame too large': [
    (socket, key) =>
      accept(socket, key).write(Buffer.from('\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00', 'latin1')),
    /^101, and then closed \(1006\) without a welcome$/,
  ],
  '101 that is none': [
    (socket) => socket.write('HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'),
    /Sec-WebSocket-Accept/,
  ],
  '101 without the subprotocol': [(socket, key) => accept(socket, key, ''), /subprotocol/],
  '426 and a body without end': [
    (socket) => {
      socket.write('HTTP/1.1 426 Upgrade\r\n\r\n');
      const more = () => {
        while (socket.writable && socket.write(JUNK));
      };
      socket.on('drain', more);
      more();
    },
    /^426: the request arrives without its upgrade/,
  ],
  '403 of a firewall': [
    (socket) => socket.end('HTTP/1.1 403 No\r\nserver: wall\r\ncontent-length: 2\r\n\r\nno'),
    /403 Forbidden \(from wall\)$/,
  ],
  '504 of a proxy': [
    (socket) => socket.end('HTTP/1.1 504 Late\r\ncontent-length: 0\r\n\r\n'),
    /^a proxy answered 504/,
  ],
};

function accept(
  socket: Socket,
  key: string,
  protocol = 'sec-websocket-protocol: earshot.v1.json\r\n',
): Socket {
  const head = `upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${ACCEPT(key)}\r\n${protocol}`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n`);
  return socket;
}

for (const [title, [answer, seen]] of Object.entries(UPGRADES)) {
  t.test(`upgrade / ${title} → is told`, async (t) => {
    const url = await almostEarshot(t, answer);
    const [reached, session, upgrade, sse, ...more] = await findings(url, { timeoutMs: PATIENCE_MS });
    t.match([reached, session], [{ outcome: 'ok' }, { outcome: 'ok' }]);
    t.match(upgrade, { check: 'upgrade', outcome: 'fail', seen });
    t.match(sse, { check: 'sse', outcome: 'warn', seen: /does not stream$/ });
    t.strictSame(more, []);
  });
}

t.test('session / a proxy that hides who may read → pages are told of', async (t) => {
  const url = await almostEarshot(t, (socket) => socket.destroy());
  const [, session] = await findings(url, { origin: 'https://app.example' });
  t.match(session, {
    outcome: 'fail',
    seen: /Access-Control-Allow-Origin is missing$/,
    fix: { nginx: /./, Caddy: /./ },
  });
});

t.test('usage / what is wrong → is told in one line', async (t) => {
  const of = (url: string, flags: Partial<DoctorFlags> = {}) =>
    targetFrom(url, { path: '/ws', ...flags }, flags.token);
  for (const url of [
    '',
    'app.example',
    'ftp://a',
    'http://u:p@a',
    'http://a/?token=1',
    'http://a/#b',
    'http://',
  ]) {
    t.throws(() => of(url), CommandError, url);
  }
  const wrong: readonly Partial<DoctorFlags>[] = [
    { path: 'ws' },
    { path: '/' },
    { path: '/ws?a' },
    { idleSeconds: '-1' },
    { idleSeconds: '121' },
    { idleSeconds: 'soon' },
    { idleSeconds: '' },
    { token: 'a b' },
    { token: '' },
    { origin: 'a\r\nb: c' },
  ];
  for (const flags of wrong) t.throws(() => of('http://a', flags), CommandError, JSON.stringify(flags));
});

t.test('address / http and ws, with the path and without → the same server', async (t) => {
  const of = (url: string) => {
    const { base, wsUrl } = targetFrom(url, { path: '/ws' }, undefined);
    return { base, wsUrl };
  };
  const whole = { base: 'https://a.example/live', wsUrl: 'wss://a.example/live/ws' };
  for (const url of ['https://a.example/live', 'https://a.example/live/', 'wss://a.example/live/ws']) {
    t.strictSame(of(url), whole);
  }
  t.strictSame(of('ws://a:1'), { base: 'http://a:1', wsUrl: 'ws://a:1/ws' });
  t.strictSame(of('http://a/ws'), { base: 'http://a/ws', wsUrl: 'ws://a/ws/ws' }, 'a prefix of that name');
});

t.test('command / lines, --json and exit codes → as they are documented', async (t) => {
  const on = await appOn(t);
  const run = (...args: readonly string[]) =>
    runProcess(process.execPath, ['dist/cli.js', 'doctor', ...args], { env: { EARSHOT_TOKEN: undefined } });
  const [good, bad, json, ...wrong] = await Promise.all([
    run(on.url, '--idle-seconds', '0.1'),
    run(on.url, '--path', '/none', '--idle-seconds', '0'),
    run(on.url, '--idle-seconds', '0', '--json'),
    run(),
    run('--nonsense', on.url),
    run('nowhere'),
    run(on.url, '--idle-seconds', 'x'),
  ]);
  t.equal(good.code, 0);
  t.match(good.stdout, /^ok reach: .+\nok session: .+\nok upgrade: .+\nok sse: .+\nok idle: .+\n$/);
  t.match(good.stderr, /^earshot: silent for 0\.1 s, to see whether it is cut\n$/);
  t.equal(bad.code, 1);
  t.equal(bad.stderr, 'earshot: 1 of 4 checks failed\n');
  t.match(bad.stdout, /^fail upgrade: 404: .+\n {2}you:\n {4}give the path/m);
  t.equal(json.code, 0);
  t.equal(json.stderr, '');
  t.match(JSON.parse(json.stdout), [
    { check: 'reach' },
    { check: 'session' },
    { check: 'upgrade' },
    { check: 'sse' },
  ]);
  for (const { code, stdout, stderr } of wrong) {
    t.strictSame({ code, stdout }, { code: 2, stdout: '' });
    t.match(stderr, /^.+\n$/);
  }
});

t.test('events come late / what is advised for Caddy → no line that sets flush_interval', (t) => {
  const lines = String(BUFFERING_FIX['Caddy']).split('\n');
  const active = lines.filter((line) => !line.trimStart().startsWith('#'));
  t.strictSame(active, ['reverse_proxy 127.0.0.1:8080']); // with flush_interval Caddy does not tell of clients that leave
  t.end();
});
