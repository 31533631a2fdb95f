import { createHmac, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import type { Identity } from '../../src/core/policy/policy.js';
import type { ErrorCode } from '../../src/protocol/codes.js';
import { Refused } from '../../src/protocol/refused.js';
import type { CheckToken } from '../../src/server/admission/tokens.js';
import { tokenChecker } from '../../src/server/admission/tokens.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { OptionsError, resolveOptions } from '../../src/server/options/options.js';
import { ecPair, jwkOf, keyServer, part, pemOf, rsaPair, signed } from '../support/tokens.js';

type TokenOptions = NonNullable<EarshotOptions['token']>;

const SECRET = 'the secret of these tests, longer than thirty-two bytes';
const OTHER_SECRET = 'another secret of these tests, as long as the first one';
const NOW_MS = Date.UTC(2030, 0, 1);
const NOW = NOW_MS / 1000;
const CLAIMS = { sub: 'ann', exp: NOW + 60 };
const HS256 = { alg: 'HS256' };
const RS256 = { alg: 'RS256' };

const rsa = rsaPair();
const stranger = rsaPair();
const ec = ecPair();

function checker(token: TokenOptions, nowMs = NOW_MS): CheckToken {
  return tokenChecker(resolveOptions({ token }).token, {
    now: () => nowMs,
    fetch: () => Promise.reject(new Error('nobody is to be asked')),
    logError: (error) => {
      throw error;
    },
  });
}

async function refuses(
  t: Test,
  check: Promise<Identity>,
  message: string | RegExp,
  code: ErrorCode = 'unauthenticated',
) {
  try {
    t.fail(`taken as ${(await check).user}`);
  } catch (error) {
    t.ok(error instanceof Refused, String(error));
    t.match(error, { code, message });
  }
}

const accepts = async (t: Test, check: Promise<Identity>, name = 'it is taken') =>
  t.equal((await check).user, 'ann', name);

const NOT_ACCEPTED = 'the token is not one that is accepted here';
const BAD_SIGNATURE = "the token's signature is not good";
const BAD_ISSUER = "the token's iss is missing or not good";

t.test('options / keys that can not be → one line that names the option, and no key', async (t) => {
  const pem = pemOf(rsa.publicKey);
  const jwk = JSON.stringify(jwkOf(rsa.publicKey));
  const issuer = 'https://a.example';
  const table: Record<string, readonly [TokenOptions, RegExp]> = {
    'no key at all': [{}, /^token: needs a secret, a publicKey, a jwksUrl or issuers$/],
    'no key but issuers, of none': [{ issuers: [] }, /^token: needs /],
    'an issuer without a key': [
      { issuers: [{ issuer }] },
      /^token\.issuers\.0: needs a secret, a publicKey or a jwksUrl$/,
    ],
    'an audience beside no key': [
      { audience: 'us', issuers: [{ issuer, secret: SECRET }] },
      /^token\.audience: there is no key beside it/,
    ],
    'an issuer twice': [
      {
        issuers: [
          { issuer, secret: SECRET },
          { issuer, publicKey: pem },
        ],
      },
      /^token\.issuers\.1\.issuer: is there already$/,
    ],
    'an issuer that is the first one': [
      { secret: SECRET, issuer, issuers: [{ issuer, publicKey: pem }] },
      /^token\.issuers\.0\.issuer: is there already$/,
    ],
    'a text that is no key': [{ publicKey: 'nonsense' }, /^token\.publicKey: is not a key that can be read/],
    'the second text is no key': [{ publicKey: [pem, 'nonsense'] }, /^token\.publicKey\.1: is not a key/],
    'a broken PEM': [{ publicKey: pem.replace(/\n.{20}/, '\n') }, /^token\.publicKey: is not a key/],
    'a JWK of the wrong types': [
      { publicKey: '{"kty":"RSA","n":1,"e":[]}' },
      /^token\.publicKey: is not a public JWK/,
    ],
    'a JWK without its members': [
      { publicKey: '{"kty":"EC","crv":"P-256"}' },
      /^token\.publicKey: is not a key/,
    ],
    'a JWK off its curve': [
      { publicKey: JSON.stringify(jwkOf(ec.publicKey, { x: jwkOf(ec.publicKey).y })) },
      /^token\.publicKey: is not a key/,
    ],
    'a JWK for encryption': [
      { publicKey: JSON.stringify(jwkOf(rsa.publicKey, { use: 'enc' })) },
      /^token\.publicKey: is not a public JWK/,
    ],
    'a JWK of another alg': [
      { publicKey: JSON.stringify(jwkOf(rsa.publicKey, { alg: 'RSA-OAEP' })) },
      /^token\.publicKey: is of another "alg"/,
    ],
    'a whole set': [
      { publicKey: JSON.stringify({ keys: [jwkOf(rsa.publicKey)] }) },
      /^token\.publicKey: is not a public JWK/,
    ],
    'a private PEM': [{ publicKey: pemOf(rsa.privateKey) }, /^token\.publicKey: is a private key/],
    'a private JWK': [
      { publicKey: JSON.stringify(jwkOf(ec.privateKey)) },
      /^token\.publicKey: is a private or secret key/,
    ],
    'a secret JWK': [
      { publicKey: '{"kty":"oct","k":"c2VjcmV0"}' },
      /^token\.publicKey: is a private or secret key/,
    ],
    'two keys in one text': [{ publicKey: pem + pem }, /^token\.publicKey: is more than one key/],
    'RSA of 1024 bits': [
      { publicKey: pemOf(rsaPair(1024).publicKey) },
      /^token\.publicKey: is weaker than RSA of 2048 bits$/,
    ],
    'RSA with the exponent 1': [
      { publicKey: JSON.stringify(jwkOf(rsa.publicKey, { e: 'AQ' })) },
      /^token\.publicKey: is /,
    ],
    'a curve nobody asked for': [
      { publicKey: pemOf(ecPair('secp256k1').publicKey) },
      /^token\.publicKey: is of a kind/,
    ],
    'a key for key agreement': [
      { publicKey: pemOf(generateKeyPairSync('x25519').publicKey) },
      /^token\.publicKey: is of a kind/,
    ],
    'a public key as the secret': [
      { secret: pem },
      /^token\.secret: is the text of a key, not a shared secret/,
    ],
    'the same after a blank': [{ secret: `\n ${pem}` }, /^token\.secret: is the text of a key/],
    'a JWK as the secret': [{ secret: [SECRET, jwk] }, /^token\.secret\.1: is the text of a key/],
    'HS256 with a public key': [
      { publicKey: pem, algorithms: ['HS256'] },
      /^token\.publicKey: needs RS256 or .* among the algorithms$/,
    ],
    'HS256 beside a public key': [
      { publicKey: pem, algorithms: ['RS256', 'HS256'] },
      /^token\.algorithms: HS256 fits none of the keys$/,
    ],
    'RS256 with a secret': [
      { secret: SECRET, algorithms: ['RS256'] },
      /^token\.secret: needs HS256 or HS384 or HS512 among the algorithms$/,
    ],
    'ES256 with RSA': [
      { publicKey: pem, algorithms: ['RS256', 'ES256'] },
      /^token\.algorithms: ES256 fits none of the keys$/,
    ],
    'P-384, which no default takes': [
      { publicKey: pemOf(ecPair('P-384').publicKey) },
      /^token\.publicKey: needs ES384 among the algorithms$/,
    ],
    'keys at http elsewhere': [
      { jwksUrl: 'http://a.example/keys' },
      /^token\.jwksUrl: must be https where it is not on loopback$/,
    ],
    'keys at a name that begins like loopback': [
      { jwksUrl: 'http://127.0.0.1.example/' },
      /^token\.jwksUrl: must be https/,
    ],
    'keys at ftp': [{ jwksUrl: 'ftp://a.example/keys' }, /^token\.jwksUrl: /],
    'keys with a password': [
      { jwksUrl: 'https://a:hunter2@a.example/' },
      /^token\.jwksUrl: must be without user and password$/,
    ],
    'keys elsewhere, for HS256': [
      { jwksUrl: 'https://a.example/', algorithms: ['HS256'] },
      /^token\.jwksUrl: needs an algorithm for public keys$/,
    ],
    'a further issuer, likewise': [
      { secret: SECRET, issuers: [{ issuer, publicKey: 'x' }] },
      /^token\.issuers\.0\.publicKey: is not a key/,
    ],
    'nine secrets': [{ secret: Array.from({ length: 9 }, () => SECRET) }, /^token\.secret: /],
  };
  for (const [name, [token, line]] of Object.entries(table)) {
    try {
      checker(token);
      t.fail(`${name} is taken`);
    } catch (error) {
      if (!(error instanceof OptionsError)) throw error;
      t.match(error.message, line, name);
      t.notMatch(
        error.message,
        /\n|BEGIN|kty|hunter2|secret of these tests|c2VjcmV0/,
        `${name}: one line, no key`,
      );
    }
  }
});

t.test('secret / several while one replaces another → both are taken, and nothing else', async (t) => {
  const [byOld, byNew] = [signed(HS256, CLAIMS, OTHER_SECRET), signed(HS256, CLAIMS, SECRET)];
  const both = checker({ secret: [SECRET, OTHER_SECRET] });
  await accepts(t, both(byOld));
  await accepts(t, both(byNew));
  await refuses(t, both(signed(HS256, CLAIMS, `${SECRET}${OTHER_SECRET}`)), BAD_SIGNATURE);
  const afterwards = checker({ secret: [SECRET] });
  await accepts(t, afterwards(byNew));
  await refuses(t, afterwards(byOld), BAD_SIGNATURE);
  const expired = signed(HS256, { ...CLAIMS, exp: NOW }, OTHER_SECRET);
  await refuses(t, both(expired), 'the token has expired', 'unauthenticated');
});

t.test('public keys / each kind and each way to write it → takes what it has signed, no other', async (t) => {
  const [p384, p521, ed] = [ecPair('P-384'), ecPair('P-521'), generateKeyPairSync('ed25519')];
  const table = [
    [rsa, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    [ec, ['ES256']],
    [p384, ['ES384']],
    [p521, ['ES512']],
    [ed, ['EdDSA']],
  ] as const;
  for (const [{ publicKey, privateKey }, algorithms] of table) {
    for (const alg of algorithms) {
      const good = signed({ alg }, CLAIMS, privateKey);
      for (const text of [pemOf(publicKey), `\n${pemOf(publicKey)}\n`, JSON.stringify(jwkOf(publicKey))]) {
        const check = checker({ publicKey: text, algorithms: [alg] });
        await accepts(t, check(good), alg);
        await refuses(t, check(`${good.slice(0, -8)}AAAAAAA${good.at(-1)}`), BAD_SIGNATURE);
      }
    }
  }
  const several = checker({
    publicKey: [pemOf(stranger.publicKey), pemOf(ec.publicKey), pemOf(rsa.publicKey)],
  });
  await accepts(t, several(signed(RS256, CLAIMS, rsa.privateKey)), 'the last of several');
  await accepts(t, several(signed({ alg: 'ES256' }, CLAIMS, ec.privateKey)), 'another kind');
  await refuses(t, several(signed({ alg: 'RS512' }, CLAIMS, rsa.privateKey)), NOT_ACCEPTED);
  const pinned = checker({ publicKey: JSON.stringify(jwkOf(rsa.publicKey, { alg: 'PS256', use: 'sig' })) });
  await accepts(t, pinned(signed({ alg: 'PS256' }, CLAIMS, rsa.privateKey)), 'the alg of the JWK');
  await refuses(t, pinned(signed(RS256, CLAIMS, rsa.privateKey)), NOT_ACCEPTED);
});

t.test('public keys / an X.509 certificate → its key is taken', async (t) => {
  const certificate = `-----BEGIN CERTIFICATE-----
MIIBijCCAS+gAwIBAgIUL6Bbtkk5PQaPmABgtKUdDV07+EkwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOaXNzdWVyLmV4YW1wbGUwIBcNMjYxMTI0MjM0NjA1WhgPMjEy
NjEwMzEyMzQ2MDVaMBkxFzAVBgNVBAMMDmlzc3Vlci5leGFtcGxlMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEPx8b9P8u+oYlb2btQKKif4Lbi/09VRa/UH5vmiOJ
/welrGxWC8iA741Ir9TNZI+vPLBY/VLRRNOtOb4T0m9NTqNTMFEwHQYDVR0OBBYE
FASnwr4ANkYzg3Go3xqE13C7NvnhMB8GA1UdIwQYMBaAFASnwr4ANkYzg3Go3xqE
13C7NvnhMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAOlvEhWt
8lkBO+EoOTUS7zYIiLEqZ5x7UJx2a/N3HV+GAiEAq26YvjPvtZDadQpsoGV7TnmV
79nq8AVgcu0mXjWt980=
-----END CERTIFICATE-----`;
  const token =
    'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4iLCJleHAiOjQxMDI0NDQ4MDB9.CVNjuduO0q6oyuhCbzuFvYXLyPreJgt0WHMs8o-FBZYejvAU7inBR3pvlWGtB-ibLGeDILRfprfyBFdJ4U-N6w';
  await accepts(t, checker({ publicKey: certificate })(token));
});

t.test('token / HS256, with the text of the public key as the secret → refused', async (t) => {
  const jwk = jwkOf(rsa.publicKey);
  const secrets: readonly (string | Uint8Array)[] = [
    pemOf(rsa.publicKey),
    pemOf(rsa.publicKey).trim(),
    ` ${pemOf(rsa.publicKey)}`,
    pemOf(rsa.publicKey).replaceAll('\n', ''),
    rsa.publicKey.export({ type: 'spki', format: 'der' }),
    rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }),
    JSON.stringify(jwk),
    String(jwk.n),
    Buffer.from(String(jwk.n), 'base64url'),
    '',
  ];
  const public_ = checker({ publicKey: pemOf(rsa.publicKey) });
  const asJwk = checker({ publicKey: JSON.stringify(jwk) });
  const both = checker({ publicKey: pemOf(rsa.publicKey), secret: SECRET });
  for (const secret of secrets) {
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      await refuses(t, public_(signed({ alg }, CLAIMS, secret)), NOT_ACCEPTED);
      await refuses(t, asJwk(signed({ alg }, CLAIMS, secret)), NOT_ACCEPTED);
    }
    await refuses(t, both(signed(HS256, CLAIMS, secret)), BAD_SIGNATURE);
  }
});

t.test('token / broken, unsigned, or of a header that asks for more → refused', async (t) => {
  const good = signed(HS256, CLAIMS, SECRET);
  const [head = '', body = '', tail = ''] = good.split('.');
  const header = (more: object) => signed({ ...HS256, ...more }, CLAIMS, SECRET);
  const text = (json: string) => {
    const input = `${part(json)}.${body}`;
    return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
  };
  const table: Record<string, string> = {
    ...Object.fromEntries(
      [
        'none',
        'None',
        'NONE',
        'nOnE',
        'none ',
        '',
        'HS256 ',
        'hs256',
        '__proto__',
        'constructor',
        'toString',
      ].flatMap((alg) => [
        [`alg "${alg}", unsigned`, `${part({ alg })}.${body}.`],
        [`alg "${alg}", with a signature`, `${part({ alg })}.${body}.${tail}`],
      ]),
    ),
    'no alg': `${part({})}.${body}.${tail}`,
    'alg as a list': header({ alg: ['HS256'] }),
    'alg as a number': `${part({ alg: 256 })}.${body}.${tail}`,
    'no signature': `${head}.${body}.`,
    'two parts': `${head}.${body}`,
    'no claims': `${head}..${tail}`,
    'five parts, as encrypted': `${part({ alg: 'dir', enc: 'A128GCM' })}..AAAA.AAAA.AAAA`,
    'four parts': `${good}.`,
    'JSON serialization': JSON.stringify({
      payload: body,
      signatures: [{ protected: head, signature: tail }],
    }),
    'padding in base64': `${head}=.${body}.${tail}`,
    'a header that is no object': text('"HS256"'),
    'a header that is a list': text('[{"alg":"HS256"}]'),
    'a header that is null': text('null'),
    'a header that is no JSON': text('{"alg":"HS256"'),
    'a header of a thousand levels': text(
      `{"alg":"HS256","a":${'['.repeat(1000)}${']'.repeat(1000)},"crit":["a"]}`,
    ),
    'alg twice, the last is none': text('{"alg":"HS256","alg":"none"}'),
    'a critical header': header({ crit: ['exp'], exp: NOW }),
    'a critical header that is not there': header({ crit: ['x'] }),
    'crit of nothing': header({ crit: [] }),
    'crit that is no list': header({ crit: 'b64' }),
    'crit of the prototype': header({ crit: ['__proto__', 'toString'] }),
    'b64 false': header({ crit: ['b64'], b64: false }),
    'b64 true': header({ crit: ['b64'], b64: true }),
    'b64 false, not critical': header({ b64: false }),
    'kid as a number': header({ kid: 1 }),
    'kid as an object': header({ kid: { $ne: null } }),
    '100 KB of claims': signed(HS256, { ...CLAIMS, a: 'a'.repeat(75_000) }, SECRET),
    '100 KB of header': header({ kid: 'a'.repeat(75_000) }),
    '100 KB of dots': '.'.repeat(100_000),
    '100 KB of garbage': 'a'.repeat(100_000),
    'a line break': `${good}\n`,
    'a blank before': ` ${good}`,
    'not ASCII': `${head}.${body}ä.${tail}`,
    nothing: '',
  };
  const check = checker({ secret: SECRET, publicKey: [pemOf(rsa.publicKey), pemOf(ec.publicKey)] });
  for (const [name, token] of Object.entries(table)) {
    await t.test(name, async (t) => refuses(t, check(token), /^the token is /));
  }
  await accepts(t, check(text('{"alg":"none","alg":"HS256"}')), 'alg twice, the last is the one that holds');
  await accepts(
    t,
    check(header({ kid: '../../etc/passwd', typ: 'at+jwt', x: 1 })),
    'kid, which a secret has not',
  );
});

t.test('token / a header that brings or names its own key → refused, and nobody is asked', async (t) => {
  const server = await keyServer(t, [jwkOf(stranger.publicKey, { kid: 'mine' })]);
  const check = checker({ publicKey: pemOf(rsa.publicKey) });
  const table: Record<string, object> = {
    jwk: { jwk: jwkOf(stranger.publicKey) },
    'jwk with a secret': { jwk: { kty: 'oct', k: part(SECRET) } },
    jku: { jku: server.url, kid: 'mine' },
    x5u: { x5u: server.url },
    x5c: { x5c: [stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
    'kid as an address': { kid: server.url },
  };
  for (const [name, more] of Object.entries(table)) {
    await t.test(name, async (t) => {
      await refuses(t, check(signed({ ...RS256, ...more }, CLAIMS, stranger.privateKey)), BAD_SIGNATURE);
      await accepts(t, check(signed({ ...RS256, ...more }, CLAIMS, rsa.privateKey)), 'it is ignored');
    });
  }
  t.equal(server.asked(), 0);
});

t.test('claims / missing, or of the wrong type or time → refused, in words', async (t) => {
  const check = checker({ secret: SECRET, audience: ['us', 'them'], issuer: 'https://a.example' });
  const usual = { ...CLAIMS, aud: 'us', iss: 'https://a.example' };
  const not = (claim: string) => `the token's ${claim} is missing or not good`;
  const table: Record<string, readonly [object | string, string | RegExp]> = {
    'no exp': [{ exp: undefined }, not('exp')],
    'exp null': [{ exp: null }, not('exp')],
    'exp as a string': [{ exp: String(NOW + 60) }, not('exp')],
    'exp as a list': [{ exp: [NOW + 60] }, not('exp')],
    'exp now': [{ exp: NOW }, 'the token has expired'],
    'exp in ms long ago': [{ exp: -8.64e15 }, 'the token has expired'],
    'nbf ahead': [{ nbf: NOW + 1 }, not('nbf')],
    'nbf far ahead': [
      `{"sub":"ann","exp":${NOW + 60},"nbf":1e999,"aud":"us","iss":"https://a.example"}`,
      not('nbf'),
    ],
    'nbf as a string': [{ nbf: '0' }, not('nbf')],
    'iat as a string': [{ iat: '0' }, not('iat')],
    'no sub': [{ sub: undefined }, not('sub')],
    'an empty sub': [{ sub: '' }, /^the token's sub is not 1 to 256 characters$/],
    'a sub of 257 characters': [{ sub: 'a'.repeat(257) }, /sub is not 1 to 256/],
    'a sub that is a number': [{ sub: 7 }, /sub is not 1 to 256/],
    'a sub that is an object': [{ sub: { toString: 'ann' } }, /sub is not 1 to 256/],
    'no aud': [{ aud: undefined }, not('aud')],
    'another aud': [{ aud: 'others' }, not('aud')],
    'aud like ours': [{ aud: 'US' }, not('aud')],
    'aud of others': [{ aud: ['others', 'more'] }, not('aud')],
    'aud as an object': [{ aud: { us: true } }, not('aud')],
    'no iss': [{ iss: undefined }, BAD_ISSUER],
    'another iss': [{ iss: 'https://b.example' }, BAD_ISSUER],
    'iss with a slash more': [{ iss: 'https://a.example/' }, BAD_ISSUER],
    'iss as a list': [{ iss: ['https://a.example'] }, BAD_ISSUER],
    'claims that are no object': ['[]', NOT_ACCEPTED],
    'claims that are no JSON': ['{"sub":', NOT_ACCEPTED],
    'channels that are a list': [{ channels: ['chat/*'] }, /^the token's claim "channels" is not a map/],
    'channels null': [{ channels: null }, /"channels" is not a map/],
    'channels as text': [{ channels: '**' }, /"channels" is not a map/],
    'channels with no pattern': [
      { channels: { 'a b': ['subscribe'] } },
      /"channels" has a key that is not a pattern/,
    ],
    'channels with no list': [{ channels: { 'chat/*': 'subscribe' } }, /"channels" allows something else/],
    'channels with an unknown action': [
      { channels: { 'chat/*': ['admin'] } },
      /"channels" allows something else/,
    ],
    'channels of the prototype': [
      `{"sub":"ann","exp":${NOW + 60},"aud":"us","iss":"https://a.example","channels":{"__proto__":1}}`,
      /"channels" /,
    ],
  };
  for (const [name, [claims, message]] of Object.entries(table)) {
    await t.test(name, async (t) => {
      const all = typeof claims === 'string' ? claims : { ...usual, ...claims };
      await refuses(t, check(signed(HS256, all, SECRET)), message);
      const forged = signed(HS256, all, OTHER_SECRET);
      await refuses(t, check(forged), BAD_SIGNATURE); // no claim is looked at before
    });
  }
  await accepts(
    t,
    check(signed(HS256, { ...usual, aud: ['x', 'them'], nbf: NOW }, SECRET)),
    'one of several',
  );
});

t.test('identity / what a good token says → user, name, id, times and grants', async (t) => {
  const check = checker({ secret: SECRET });
  const identity = (claims: object | string) => check(signed(HS256, claims, SECRET));
  const channels = { 'chat/*': ['subscribe', 'publish'], 'user/{sub}/**': ['history'] };
  const { grants, ...whole } = await identity({
    ...CLAIMS,
    name: 'Ann',
    jti: 'id-1',
    iat: NOW - 1.5,
    channels,
  });
  t.match(whole, {
    user: 'ann',
    name: 'Ann',
    expiresAt: NOW_MS + 60_000,
    tokenId: 'id-1',
    issuedAt: NOW_MS - 1500,
  });
  t.strictSame(whole.claims, { ...CLAIMS, name: 'Ann', jti: 'id-1', iat: NOW - 1.5, channels });
  t.strictSame(
    grants?.map(({ pattern, actions }) => [pattern.text, [...actions]]),
    Object.entries(channels),
  );
  const bare = await identity(CLAIMS);
  t.match(bare, { name: 'ann', tokenId: undefined, issuedAt: undefined, grants: undefined });
  t.strictSame((await identity({ ...CLAIMS, channels: {} })).grants, [], 'a list that allows nothing is one');
  t.equal((await identity({ ...CLAIMS, jti: 7 })).tokenId, undefined, 'an id is a text');
  t.equal((await identity({ ...CLAIMS, exp: NOW + 0.0625 + 1 })).expiresAt, NOW_MS + 1062, 'a fraction');
  for (const exp of ['1e300', '1e999', String(Number.MAX_SAFE_INTEGER)]) {
    const { expiresAt } = await identity(`{"sub":"ann","exp":${exp},"iat":-1e999}`);
    t.equal(new Date(expiresAt ?? 0).toISOString(), '+275760-09-13T00:00:00.000Z', 'the end of time');
  }
});

t.test('clocks / that differ by no more than is allowed → taken, and for as long', async (t) => {
  const check = checker({ secret: SECRET, clockToleranceMs: 30_000 });
  const late = await check(signed(HS256, { ...CLAIMS, exp: NOW - 29 }, SECRET));
  t.equal(late.expiresAt, NOW_MS + 1000, 'the session is not over at once');
  await accepts(t, check(signed(HS256, { ...CLAIMS, nbf: NOW + 30 }, SECRET)));
  await refuses(t, check(signed(HS256, { ...CLAIMS, exp: NOW - 30 }, SECRET)), 'the token has expired');
  await refuses(t, check(signed(HS256, { ...CLAIMS, nbf: NOW + 31 }, SECRET)), /nbf/);
});

t.test(
  "issuers / several → each one's keys, algorithms and audience hold for its own `iss` alone",
  async (t) => {
    const [a, b] = ['https://a.example', 'https://b.example'];
    const check = checker({
      secret: SECRET,
      issuers: [
        { issuer: a, publicKey: pemOf(rsa.publicKey), audience: 'us' },
        { issuer: b, publicKey: pemOf(stranger.publicKey), algorithms: ['PS256'] },
        { issuer: 'c', secret: OTHER_SECRET },
      ],
    });
    const ofA = (claims: object, alg = 'RS256') =>
      signed({ alg }, { ...CLAIMS, aud: 'us', iss: a, ...claims }, rsa.privateKey);
    const ofB = (claims: object, alg = 'PS256') =>
      signed({ alg }, { ...CLAIMS, iss: b, ...claims }, stranger.privateKey);
    const ofC = (claims: object) => signed(HS256, { ...CLAIMS, iss: 'c', ...claims }, OTHER_SECRET);
    const own = (claims: object) => signed(HS256, { ...CLAIMS, ...claims }, SECRET);
    for (const token of [ofA({}), ofB({}), ofC({}), own({}), own({ iss: 'who knows' })])
      await accepts(t, check(token));
    for (const iss of [b, 'c', 'who knows', undefined]) await refuses(t, check(ofA({ iss })), BAD_ISSUER);
    for (const iss of [a, 'c', undefined]) await refuses(t, check(ofB({ iss })), BAD_ISSUER);
    for (const iss of [a, b, 'c']) await refuses(t, check(own({ iss })), BAD_ISSUER);
    await refuses(t, check(ofC({ iss: a })), BAD_ISSUER);
    await refuses(t, check(ofA({ aud: 'others' })), /aud/);
    await refuses(t, check(ofB({}, 'RS256')), BAD_SIGNATURE); // tried with the keys of a, which takes RS256
    await refuses(t, check(ofA({ exp: NOW })), 'the token has expired');
    await refuses(t, check(ofA({ exp: NOW, iss: b })), BAD_ISSUER);
  },
);

t.test('issuers / two with the same key → the `iss` tells which, not the order', async (t) => {
  const publicKey = pemOf(rsa.publicKey);
  const issuers = [
    { issuer: 'a', publicKey, audience: 'of a' },
    { issuer: 'b', publicKey },
  ];
  const check = checker({ issuers });
  const token = (claims: object) => signed(RS256, { ...CLAIMS, ...claims }, rsa.privateKey);
  await accepts(t, check(token({ iss: 'b' })));
  await accepts(t, check(token({ iss: 'a', aud: 'of a' })));
  await refuses(t, check(token({ iss: 'a' })), /aud/);
  await refuses(t, check(token({ iss: 'c' })), BAD_ISSUER);
});

t.test('token / any text, and any change of a good one → refused, never a fault of ours', async (t) => {
  const check = checker({ secret: SECRET, publicKey: [pemOf(rsa.publicKey), pemOf(ec.publicKey)] });
  const goods = [
    signed(HS256, CLAIMS, SECRET),
    signed({ alg: 'ES256' }, CLAIMS, ec.privateKey),
    signed(RS256, CLAIMS, rsa.privateKey),
  ];
  for (const good of goods) await accepts(t, check(good));
  const changed = fc
    .tuple(fc.constantFrom(...goods), fc.nat(), fc.nat({ max: 3 }), fc.string({ maxLength: 3 }))
    .map(
      ([good, at, cut, put]) => good.slice(0, at % good.length) + put + good.slice((at % good.length) + cut),
    )
    .filter((token) => !goods.some((good) => sameBytes(good, token)));
  const alg = fc.constantFrom('HS256', 'RS256', 'ES256', 'PS256');
  const header = fc.oneof(fc.jsonValue(), fc.record({ alg, kid: fc.jsonValue(), crit: fc.jsonValue() }));
  const made = fc
    .tuple(header, fc.jsonValue(), fc.base64String())
    .map((parts) => parts.map((each) => Buffer.from(JSON.stringify(each)).toString('base64url')).join('.'));
  const any = fc.oneof(changed, made, fc.string(), fc.string({ unit: 'binary' }));
  await fc.assert(
    fc.asyncProperty(any, async (token) => {
      const outcome = await check(token).catch((error: unknown) => error);
      return outcome instanceof Refused && outcome.code === 'unauthenticated';
    }),
    { numRuns: 500 },
  );
  t.pass('all of them were refused');
});

/** base64 may write the same bytes in several ways: the last bits of a part stand for nothing. */
function sameBytes(one: string, other: string): boolean {
  const bytes = (token: string) =>
    token
      .split('.')
      .map((each) => Buffer.from(each, 'base64url').toString('hex'))
      .join('.');
  return bytes(one) === bytes(other);
}
