import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import { appOn } from '../support/app.js';
import { blocksOf } from '../support/documents.js';
import { peer } from '../support/peer.js';
import { ROOT, runProcess } from '../support/spawn.js';
import { tool } from '../support/tools.js';

/** The address that the page speaks of. */
const ADDRESS = '127.0.0.1:8080';
const SECRET = 'a secret of tests: thirty-two bytes or more';
const KEY = 'a key of tests, 16 characters or more';

const blocks = blocksOf(readFileSync(join(ROOT, 'docs/operating.md'), 'utf8'));
const examples = blocks.filter(({ info }) => info === 'admin');

/** A server, and a user `u-1` who is in the lobby, for every block. */
async function scene(t: Test) {
  const on = await appOn(t, { admin: { key: KEY }, token: { secret: SECRET } });
  const claims = new SignJWT({ sub: 'u-1' }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt();
  const token = await claims.setExpirationTime('1h').sign(new TextEncoder().encode(SECRET));
  const user = await peer(t, on.wsUrl, { headers: { authorization: `Bearer ${token}` } });
  const { session } = await user.next('welcome');
  await user.call({ type: 'subscribe', channel: 'lobby' });
  return { ...on, user, session };
}

/** The status and the body of each command of a block, as it is written there. */
async function outcomes(t: Test, text: string, url: string, session: string) {
  t.match(text, ADDRESS);
  const { code, stdout, stderr } = await runProcess(
    'sh',
    [
      '-c',
      `curl() { command curl "$@" -w '\\n%{http_code}\\n'; }\n${text.replaceAll(`http://${ADDRESS}`, url)}`,
    ],
    {
      env: {
        PATH: `${dirname(tool('curl'))}${delimiter}${process.env['PATH']}`,
        ADMIN_KEY: KEY,
        SESSION: session,
      },
    },
  );
  t.equal(code, 0, stderr);
  return [...stdout.matchAll(/^(.*)\n(\d{3})\n/gm)].map(([, body = '', status]) => [
    Number(status),
    body === '' ? undefined : JSON.parse(body),
  ]);
}

/** What each block comes to, in the order of the page. */
const EXPECTED: readonly (readonly (readonly [status: number, body?: object])[])[] = [
  [
    [200, { sessions: 1, users: 1, subscriptions: 1, draining: false }],
    [200, { channels: [], next: null }],
  ],
  [
    [201, { channel: 'orders/eu', messages: 0 }],
    [200, { channel: 'orders/eu', closed: false }],
    [200, { offset: /./ }],
    [204],
  ],
  [
    [200, { duplicate: false }],
    [200, { messages: [{ from: 'operator', data: 'the server restarts at noon' }], upToDate: true }],
    [200, { members: [{ user: 'u-1' }], count: 1 }],
  ],
  [
    [200, { sessions: [{ user: 'u-1', channels: ['lobby'] }], next: null }],
    [200, { user: 'u-1' }],
    [200, { sent: true }],
    [200, { ended: 1 }],
    [204],
    [200, { ended: 0 }],
  ],
  [[200, { ended: 1 }]],
];

t.test(
  "docs/operating.md / the operator's API → there is something here for each of its blocks",
  async (t) => {
    t.equal(examples.length, EXPECTED.length);
  },
);

for (const [at, { text, line }] of examples.entries()) {
  t.test(`docs/operating.md / line ${line} → does what it says`, async (t) => {
    const { url, user, session } = await scene(t);
    const found = await outcomes(t, text, url, session);
    const expected = EXPECTED[at] ?? [];
    t.equal(found.length, expected.length);
    for (const [each, [status, body]] of expected.entries()) {
      t.equal(found[each]?.[0], status);
      t.match(found[each]?.[1], body, `the answer ${each + 1}`);
    }
    if (text.includes('/publish')) t.match(await user.next('message'), { from: 'operator' });
    if (text.includes('/send')) t.match(await user.next('direct'), { data: 'please reload' });
    if (text.includes('$SESSION')) t.match(await user.closed, { code: 4403 });
    if (text.includes('/revoke')) t.match(await user.closed, { code: 4401 });
  });
}
