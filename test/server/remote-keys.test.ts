import type { ServerResponse } from 'node:http';
import type { Test } from 'tap';
import t from 'tap';
import type { Identity } from '../../src/core/policy/policy.js';
import type { ErrorCode } from '../../src/protocol/codes.js';
import {
  COOLDOWN_MS,
  FORGOTTEN_MS,
  MAX_SET_BYTES,
  REFRESH_MS,
} from '../../src/server/admission/tokens/remote-keys.js';
import { tokenChecker } from '../../src/server/admission/tokens.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { resolveOptions } from '../../src/server/options/options.js';
import { eventually } from '../support/app.js';
import { peer } from '../support/peer.js';
import type { Answer, KeyPair } from '../support/tokens.js';
import { ecPair, jwkOf, keyServer, part, rsaPair, signed } from '../support/tokens.js';
import { ours, refused, scene, undisturbed } from './scene.js';

const SECRET = 'the secret of these tests, longer than thirty-two bytes';
const NOW_MS = Date.UTC(2030, 0, 1);
const BAD_SIGNATURE = "the token's signature is not good";
const NOT_ACCEPTED = 'the token is not one that is accepted here';

const first = rsaPair();
const second = rsaPair();
const ec = ecPair();

/** For a year: no test here moves its clock so far. */
const CLAIMS = { sub: 'ann', exp: NOW_MS / 1000 + 365 * 86_400 };
const tokenOf = ({ privateKey }: KeyPair, kid?: string, claims: object = {}) =>
  signed(
    { alg: privateKey.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256', kid },
    { ...CLAIMS, ...claims },
    privateKey,
  );
const keyOf = ({ publicKey }: KeyPair, kid?: string, more: object = {}) => jwkOf(publicKey, { kid, ...more });

/** A checker whose clock and patience the test sets, and what it has logged. */
function rig(token: NonNullable<EarshotOptions['token']>) {
  const clock = { ms: NOW_MS };
  const errors: unknown[] = [];
  const parts = {
    now: () => clock.ms,
    fetch,
    logError: (error: unknown) => errors.push(error),
    fetchTimeoutMs: 10_000,
  };
  return { check: tokenChecker(resolveOptions({ token }).token, parts), clock, errors, parts };
}

async function refuses(t: Test, check: Promise<Identity>, code: ErrorCode, message?: string) {
  const outcome = await check.catch((error: unknown) => error);
  t.match(outcome, { code, ...(message !== undefined && { message }) });
}

const accepts = async (t: Test, check: Promise<Identity>, name = 'it is taken') =>
  t.equal((await check).user, 'ann', name);

/** The answers that end with our patience alone. */
const HANGS = new Set(['no answer', 'an answer without end']);

/** Answers that wait until they are let go. */
function held(keys: readonly object[]) {
  const waiting: ServerResponse[] = [];
  const answer: Answer = (_request, response) => waiting.push(response);
  return {
    answer,
    letGo() {
      for (const response of waiting.splice(0)) response.end(JSON.stringify({ keys }));
    },
  };
}

t.test('keys / first needed by many at once → one fetch, and all wait for it', async (t) => {
  const { answer, letGo } = held([keyOf(first, 'a'), keyOf(ec, 'b')]);
  const server = await keyServer(t, answer);
  const { check, clock } = rig({ jwksUrl: server.url });
  await refuses(
    t,
    check(signed({ alg: 'HS256', kid: 'a' }, CLAIMS, SECRET)),
    'unauthenticated',
    NOT_ACCEPTED,
  );
  await refuses(
    t,
    check(signed({ alg: 'RS512', kid: 'a' }, CLAIMS, first.privateKey)),
    'unauthenticated',
    NOT_ACCEPTED,
  );
  t.equal(server.asked(), 0, 'no key there could check these');
  const good = Array.from({ length: 20 }, (_, at) => check(at % 2 ? tokenOf(first, 'a') : tokenOf(ec, 'b')));
  const bad = [
    refuses(t, check(tokenOf(second, 'a')), 'unauthenticated', BAD_SIGNATURE),
    refuses(t, check(tokenOf(first, 'b')), 'unauthenticated', NOT_ACCEPTED),
    refuses(t, check(tokenOf(first, 'c')), 'unauthenticated', NOT_ACCEPTED),
  ];
  await server.askedTimes(1);
  clock.ms += COOLDOWN_MS; // it takes longer than that
  const later = check(tokenOf(ec, 'b'));
  letGo();
  for (const each of [...good, later]) await accepts(t, each);
  await Promise.all(bad);
  await accepts(t, check(tokenOf(first)), 'without the name of a key, all that fit are tried');
  t.equal(server.asked(), 1);
});

t.test('kid / a flood of unknown ones → one fetch per cooldown', async (t) => {
  const server = await keyServer(t, [keyOf(first, 'a')]);
  const { check, clock, errors } = rig({ jwksUrl: server.url });
  const flood = async () => {
    const kids = Array.from({ length: 100 }, (_, at) => `k${at}-${clock.ms}`);
    const odd = [
      '../../etc/passwd',
      '__proto__',
      'constructor',
      'hasOwnProperty',
      'a\u0000',
      'A',
      '',
      "' or 1=1 --",
    ];
    const tokens = [...kids, ...odd].map((kid) => tokenOf(second, kid));
    await Promise.all(tokens.map((token) => refuses(t, check(token), 'unauthenticated', NOT_ACCEPTED)));
  };
  await accepts(t, check(tokenOf(first, 'a')));
  await flood();
  t.equal(server.asked(), 1);
  clock.ms += COOLDOWN_MS - 1;
  await flood();
  t.equal(server.asked(), 1);
  clock.ms += 1;
  await flood();
  t.equal(server.asked(), 2);
  clock.ms -= 3_600_000; // a clock that is put back does not make the cooldown longer
  await flood();
  t.equal(server.asked(), 3);
  await accepts(t, check(tokenOf(first, 'a')));
  t.strictSame(errors, []);
});

t.test(
  'rotation / a new key in the set → taken after the cooldown; one that is gone is not any more',
  async (t) => {
    const server = await keyServer(t, [keyOf(first, 'a')]);
    const { check, clock } = rig({ jwksUrl: server.url });
    await accepts(t, check(tokenOf(first, 'a')));
    server.answers([keyOf(first, 'a'), keyOf(second, 'b')]);
    await refuses(t, check(tokenOf(second, 'b')), 'unauthenticated');
    t.equal(server.asked(), 1, 'too soon');
    clock.ms += COOLDOWN_MS;
    await accepts(t, check(tokenOf(second, 'b')));
    await accepts(t, check(tokenOf(first, 'a')), 'the old one is still there');
    server.answers([keyOf(second, 'b')]);
    clock.ms += COOLDOWN_MS;
    await refuses(t, check(tokenOf(first, 'unknown')), 'unauthenticated');
    await refuses(t, check(tokenOf(first, 'a')), 'unauthenticated', NOT_ACCEPTED);
    t.equal(server.asked(), 3);
  },
);

t.test('rotation / keys that are old → fetched anew while those at hand are used', async (t) => {
  const server = await keyServer(t, [keyOf(first, 'a')]);
  const { check, clock } = rig({ jwksUrl: server.url });
  await accepts(t, check(tokenOf(first, 'a')));
  clock.ms += REFRESH_MS - 1;
  await accepts(t, check(tokenOf(first, 'a')));
  t.equal(server.asked(), 1);
  const { answer, letGo } = held([keyOf(second, 'b')]);
  server.answers(answer);
  clock.ms += 1;
  await accepts(t, check(tokenOf(first, 'a')), 'without waiting for the answer');
  await server.askedTimes(2);
  await accepts(t, check(tokenOf(first, 'a')));
  letGo();
  await eventually('the end of the old key', () =>
    check(tokenOf(first, 'a')).then(
      () => false,
      () => true,
    ),
  );
  await accepts(t, check(tokenOf(second, 'b')));
  t.equal(server.asked(), 2);
});

t.test('rotation / nobody came for long → the keys are fetched before one is believed', async (t) => {
  const server = await keyServer(t, [keyOf(first, 'a')]);
  const { check, clock } = rig({ jwksUrl: server.url });
  await accepts(t, check(tokenOf(first, 'a')));
  server.answers([keyOf(second, 'b')]);
  clock.ms += FORGOTTEN_MS;
  await refuses(t, check(tokenOf(first, 'a')), 'unauthenticated');
  server.answers((_request, response) => response.writeHead(500).end());
  clock.ms += FORGOTTEN_MS;
  await accepts(t, check(tokenOf(second, 'b')), 'what was good last holds');
  t.equal(server.asked(), 3);
});

t.test(
  'outage / half an answer, and a fetch that has lost its signal → given up in time all the same',
  async (t) => {
    const server = await keyServer(t, (_request, response) => response.write('{"keys":['));
    const fresh = rig({ jwksUrl: server.url });
    fresh.parts.fetch = (url, { signal: _, ...init } = {}) => fetch(url, init);
    fresh.parts.fetchTimeoutMs = 50;
    await refuses(t, fresh.check(tokenOf(first, 'a')), 'unavailable');
    t.match(fresh.errors, [{ cause: { message: 'there was no whole answer within 50 ms' } }]);
    server.answers([keyOf(first, 'a')]);
    fresh.parts.fetchTimeoutMs = 10_000;
    fresh.clock.ms += COOLDOWN_MS;
    await accepts(t, fresh.check(tokenOf(first, 'a')), 'the next one is not waited for by it');
  },
);

t.test('outage / of each kind → unavailable where there are no keys; else those at hand hold', async (t) => {
  const elsewhere = await keyServer(t, [keyOf(second, 'b')]);
  const text =
    (body: string, status = 200): Answer =>
    (_request, response) =>
      response.writeHead(status).end(body);
  const set = (...keys: readonly object[]) => text(JSON.stringify({ keys }));
  const good = JSON.stringify({ keys: [keyOf(second, 'b')] });
  const kinds: Record<string, Answer> = {
    'a 500': text(good, 500),
    'a 404': text(good, 404),
    'a 201': text(good, 201),
    garbage: text('<html>not keys</html>'),
    nothing: text(''),
    null: text('null'),
    'half of a set': text(good.slice(0, -5)),
    'JSON that is no set': text('{"keys":{}}'),
    'an empty set': set(),
    'a set of nonsense': set({}, { kty: 'RSA' }, { kty: 'EC', crv: '__proto__' }),
    'a set of nulls': text('{"keys":[null,1,"a",[]]}'),
    'private keys alone': set(jwkOf(second.privateKey, { kid: 'b' })),
    'secrets alone': set({ kty: 'oct', k: part(SECRET), kid: 'b' }),
    'weak keys alone': set(keyOf(rsaPair(1024), 'b')),
    'keys for encryption alone': set(keyOf(second, 'b', { use: 'enc' })),
    'keys of other algorithms alone': set(keyOf(second, 'b', { alg: 'RS512' })),
    'more than its bound': text(good + ' '.repeat(MAX_SET_BYTES)),
    'more than its bound, without end': (_request, response) => {
      const write = () => response.write('a'.repeat(16_384), (error) => error ?? write());
      write();
    },
    'a redirect': (_request, response) => response.writeHead(302, { location: elsewhere.url }).end(),
    'a permanent redirect': (_request, response) =>
      response.writeHead(308, { location: elsewhere.url }).end(),
    'a cut': (request) => request.socket.destroy(),
    'a cut in the body': (request, response) => {
      response.writeHead(200, { 'content-length': good.length });
      response.write(good.slice(0, 10), () => request.socket.destroy());
    },
    'no answer': () => {},
    'an answer without end': (_request, response) => response.write(good.slice(0, -1)),
  };
  for (const [name, answer] of Object.entries(kinds)) {
    await t.test(name, async (t) => {
      const server = await keyServer(t, answer);
      const fresh = rig({ jwksUrl: server.url });
      const patience = HANGS.has(name) ? 50 : fresh.parts.fetchTimeoutMs;
      fresh.parts.fetchTimeoutMs = patience;
      const five = Array.from({ length: 5 }, () => fresh.check(tokenOf(second, 'b')));
      await Promise.all(five.map((check) => refuses(t, check, 'unavailable')));
      await refuses(t, fresh.check(tokenOf(second, 'b')), 'unavailable');
      t.equal(server.asked(), 1, 'asked once per cooldown');
      t.equal(fresh.errors.length, 1, 'and logged once');
      t.match(fresh.errors[0], { message: "token.jwksUrl: the keys can't be had" });
      server.answers([keyOf(first, 'a')]);
      fresh.parts.fetchTimeoutMs = 10_000;
      fresh.clock.ms += COOLDOWN_MS;
      await accepts(t, fresh.check(tokenOf(first, 'a')), 'well again');
      server.answers(answer);
      fresh.parts.fetchTimeoutMs = patience;
      fresh.clock.ms += REFRESH_MS;
      await accepts(t, fresh.check(tokenOf(first, 'a')));
      await eventually('the failure', () => fresh.errors.length === 2);
      await accepts(t, fresh.check(tokenOf(first, 'a')), 'what was good last holds');
      await refuses(t, fresh.check(tokenOf(second, 'b')), 'unauthenticated', NOT_ACCEPTED);
      t.equal(server.asked(), 3);
    });
  }
  t.equal(elsewhere.asked(), 0, 'nobody was sent there');
});

t.test('keys / of other kinds beside a good one → left out, and the good one is taken', async (t) => {
  const server = await keyServer(t, [
    { kty: 'oct', k: part(SECRET), kid: 'a', alg: 'HS256' },
    keyOf(second, 'a', { use: 'enc' }),
    jwkOf(second.privateKey, { kid: 'a' }),
    keyOf(first, 'a', { use: 'sig', x5c: ['AAAA'], x5t: 'AAAA', key_ops: ['verify'] }),
    keyOf(ec, '__proto__'),
  ]);
  const { check } = rig({ jwksUrl: server.url });
  await accepts(t, check(tokenOf(first, 'a')));
  await accepts(t, check(tokenOf(ec, '__proto__')), 'a name is a name');
  await refuses(t, check(tokenOf(second, 'a')), 'unauthenticated', BAD_SIGNATURE);
  for (const secret of [SECRET, part(SECRET), JSON.stringify(keyOf(first, 'a'))]) {
    await refuses(
      t,
      check(signed({ alg: 'HS256', kid: 'a' }, CLAIMS, secret)),
      'unauthenticated',
      NOT_ACCEPTED,
    );
  }
});

t.test('issuers / the same kid at two → never mixed', async (t) => {
  const [atA, atB] = [await keyServer(t, [keyOf(first, 'k')]), await keyServer(t, [keyOf(second, 'k')])];
  const { check } = rig({
    issuers: [
      { issuer: 'a', jwksUrl: atA.url },
      { issuer: 'b', jwksUrl: atB.url },
    ],
  });
  const token = (pair: KeyPair, iss: string) => check(tokenOf(pair, 'k', { iss }));
  for (const round of ['keys to be fetched', 'keys at hand']) {
    await accepts(t, token(first, 'a'), round);
    await accepts(t, token(second, 'b'), round);
    await refuses(t, token(first, 'b'), 'unauthenticated', "the token's iss is missing or not good");
    await refuses(t, token(second, 'a'), 'unauthenticated', "the token's iss is missing or not good");
  }
  t.strictSame([atA.asked(), atB.asked()], [1, 1]);
});

t.test('issuers / one does not answer → tokens of the others are not held up', async (t) => {
  const { answer, letGo } = held([keyOf(first, 'a')]);
  const [slow, quick] = [await keyServer(t, answer), await keyServer(t, [keyOf(ec, 'e')])];
  const { check } = rig({
    secret: SECRET,
    issuers: [
      { issuer: 'slow', jwksUrl: slow.url },
      { issuer: 'quick', jwksUrl: quick.url },
    ],
  });
  const waits = check(tokenOf(first, 'a', { iss: 'slow' }));
  await slow.askedTimes(1);
  await accepts(t, check(signed({ alg: 'HS256' }, CLAIMS, SECRET)));
  await accepts(t, check(tokenOf(ec, 'e', { iss: 'quick' })));
  await refuses(
    t,
    check(tokenOf(ec, 'e', { iss: 'quick', exp: 1 })),
    'unauthenticated',
    'the token has expired',
  );
  letGo();
  await accepts(t, waits);
  t.strictSame([slow.asked(), quick.asked()], [1, 1]);
});

t.test(
  'issuers / one is down → its tokens are told to come again, a bad one of another is not',
  async (t) => {
    const down = await keyServer(t, (_request, response) => response.writeHead(503).end());
    const up = await keyServer(t, [keyOf(ec, 'e')]);
    const { check } = rig({
      issuers: [
        { issuer: 'down', jwksUrl: down.url },
        { issuer: 'up', jwksUrl: up.url },
      ],
    });
    await accepts(t, check(tokenOf(ec, 'e', { iss: 'up' })));
    await refuses(t, check(tokenOf(first, 'a', { iss: 'down' })), 'unavailable');
    await refuses(
      t,
      check(tokenOf(ec, 'e', { iss: 'up', exp: 1 })),
      'unauthenticated',
      'the token has expired',
    );
  },
);

t.test('upgrade / the keys do not come → 503 in time, and others connect meanwhile', async (t) => {
  const { answer, letGo } = held([keyOf(first, 'a')]);
  const server = await keyServer(t, answer);
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const own = bearer(signed({ alg: 'HS256' }, CLAIMS, SECRET));
  const options = {
    dev: false,
    token: { secret: SECRET, issuers: [{ issuer: 'slow', jwksUrl: server.url }] },
    handshakeTimeoutMs: 500,
  };
  const on = await scene(t, options, { bystander: { headers: own } });
  const late = refused(t, on, ours({ headers: bearer(tokenOf(first, 'a', { iss: 'slow' })) }), {
    status: 503,
    code: 'unavailable',
  });
  await server.askedTimes(1);
  const other = await peer(t, on.wsUrl, { headers: own });
  t.match(await other.next('welcome'), { user: 'ann' });
  const { headers } = await late;
  t.match(headers['retry-after'], /^\d+$/);
  letGo();
  const again = async () => {
    const response = await fetch(`${on.url}/v1/session`, {
      headers: bearer(tokenOf(first, 'a', { iss: 'slow' })),
    });
    return response.status === 200;
  };
  await eventually('the keys', again);
  t.equal(server.asked(), 1, 'the fetch went on without whoever waited');
  await undisturbed(t, on);
});
