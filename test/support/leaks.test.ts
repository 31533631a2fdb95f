import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { emptyEvidence, findLeaks, formsOf, searchEvidence } from './leaks.mjs';

const SECRET = 'pa"ss\nwörd of these tests';
/** In the form of one that is signed. */
const TOKEN = `${'h'.repeat(20)}.${'p'.repeat(60)}.${'s1-_'.repeat(10)}`;

const log = (text: string) => [{ name: 'a.txt', bytes: Buffer.from(text) }];
const faultsIn = (secret: string, text: string) => findLeaks([secret], log(text)).faults;
const encoded = (text: string) => Buffer.from(text).toString('base64url');

t.test('leaks / a secret in a log, in whatever form → is found, with its line', async (t) => {
  const logged: Record<string, string> = {
    'as it is': `before ${SECRET} after`,
    'at the very beginning': `${SECRET} after`,
    'at the very end': `before ${SECRET}`,
    'as JSON': JSON.stringify({ msg: SECRET }),
    'in a URL': `GET /ws?token=${encodeURIComponent(SECRET)} HTTP/1.1`,
    'in base64': Buffer.from(SECRET).toString('base64'),
    'as the subprotocol that carries it': `earshot.v1.json, earshot.bearer.${encoded(SECRET)}`,
    'as that, split from what it begins with': `["earshot.bearer","${encoded(SECRET)}"]`,
    'in hex': Buffer.from(SECRET).toString('hex'),
    'as the bytes of a Buffer': JSON.stringify(Buffer.from(`Bearer ${SECRET}\r\n`)),
  };
  for (const [how, text] of Object.entries(logged)) {
    t.equal(faultsIn(SECRET, `first line\n${text}\nlast line\n`).length, 1, how);
  }
  t.strictSame(faultsIn(TOKEN, `a\n{"token":"${TOKEN}"}\nb`), [
    `a.txt holds the secret ${TOKEN.slice(0, 60)}: {"token":"${TOKEN}"}`,
  ]);
  t.equal(faultsIn(TOKEN, `…${'s1-_'.repeat(10)}`).length, 1, 'the signature of a token alone');
});

t.test('leaks / nothing of it → nothing is found', async (t) => {
  const near = [SECRET.slice(0, -1), SECRET.slice(1), SECRET.toUpperCase(), `${'p'.repeat(60)}`, ''];
  for (const text of near) t.strictSame(faultsIn(SECRET, text), [], text);
  t.strictSame(
    faultsIn(TOKEN, `${'h'.repeat(20)}.${'p'.repeat(60)}.`),
    [],
    'what is not signed proves nothing',
  );
});

t.test('leaks / many secrets in a large log → each is found once, and nothing else', async (t) => {
  const secrets = Array.from({ length: 2000 }, (_, at) => `secret number ${at} of many, all alike`);
  const line = '{"level":10,"msg":"incoming request","req":{"url":"/metrics"}}\n';
  const filler = line.repeat(20_000);
  const { faults, lines } = findLeaks(
    secrets,
    log(`${filler}${secrets[7]}${filler}${secrets[7]} ${secrets[1999]}`),
  );
  t.match(faults, [/secret number 7 of/, /secret number 1999 of/]);
  t.equal(faults.length, 2);
  t.equal(lines, 40_000);
});

t.test('leaks / a secret of any characters → has forms', async (t) => {
  for (const text of ['lone \ud800 surrogate', '\u0000'.repeat(20), '💥'.repeat(10)]) {
    t.ok(formsOf(text).includes(text));
    t.equal(faultsIn(text, `a${text}b`).length, 1);
  }
});

t.test('evidence / as a run leaves it → is searched; too little of it is a fault', async (t) => {
  const folder = t.testdir();
  emptyEvidence(folder);
  const floors = { minSecrets: 2, minLines: 3 };
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  t.match(searchEvidence(folder, floors).faults, [/only 0 secrets/, /only 0 lines/]);
  write('secrets/1.txt', `${JSON.stringify(SECRET)}\n${JSON.stringify(SECRET)}\n`);
  write('secrets/2.txt', `${JSON.stringify(TOKEN)}\n`);
  write('logs/1.txt', 'a\nb\n');
  t.match(searchEvidence(folder, floors), {
    faults: [/only 2 lines were logged, not 3/],
    secrets: 2,
    lines: 2,
  });
  write('logs/2.txt', `a\n${JSON.stringify(SECRET)}\n`);
  t.match(searchEvidence(folder, floors), {
    faults: [/^2\.txt holds the secret pa"ss/],
    secrets: 2,
    lines: 4,
  });
  emptyEvidence(folder);
  mkdirSync(join(folder, 'logs'), { recursive: true });
  t.match(searchEvidence(folder, { minSecrets: 0, minLines: 0 }), { faults: [], secrets: 0, lines: 0 });
});
