import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { DisconnectEvent } from '../../src/core/hooks.js';
import { Refused } from '../../src/protocol/refused.js';
import type { ConnectEvent, Hooks } from '../../src/server/options/hooks.js';
import type { EarshotOptions } from '../../src/server/options/options.js';
import type { RunningApp } from '../support/app.js';
import { appOn, eventually } from '../support/app.js';
import { keptLog } from '../support/log.js';
import { peer } from '../support/peer.js';
import { rawConnect } from '../support/raw-socket.js';
import { ours, watchUncaught } from './scene.js';

const SECRET = 'the secret of these tests, longer than thirty-two bytes';

/** What a peer is told: `ok` or a code, and the text that it came in. */
interface Told {
  readonly code: string;
  readonly text: string;
}

/** What makes the server ask each of the hooks that are waited for. */
const ASKS = {
  authorize: asksToSubscribe,
  onConnect: asksToConnect,
  onSubscribe: asksToSubscribe,
  onPublish: asksToPublish,
} as const satisfies Partial<Record<keyof Hooks, (t: Test, on: RunningApp) => Promise<Told>>>;

type Asked = keyof typeof ASKS;
const NAMES = Object.keys(ASKS) as Asked[]; // the keys of a constant

async function asksToConnect(t: Test, { port }: RunningApp): Promise<Told> {
  const raw = await rawConnect(t, port);
  await raw.send(ours());
  const { status, body } = await raw.response();
  return { code: status === 101 ? 'ok' : JSON.parse(body).code, text: body };
}

async function asksToSubscribe(t: Test, { wsUrl }: RunningApp): Promise<Told> {
  const client = await peer(t, wsUrl);
  const answer = await client.call({ type: 'subscribe', channel: 'a' });
  return { code: answer.type === 'error' ? answer.code : 'ok', text: answer.text };
}

async function asksToPublish(t: Test, { wsUrl }: RunningApp): Promise<Told> {
  const client = await peer(t, wsUrl);
  const answer = await client.call({ type: 'publish', channel: 'a', data: 1 });
  return { code: answer.type === 'error' ? answer.code : 'ok', text: answer.text };
}

/** A server with one hook, and its log. */
async function hooked(t: Test, name: keyof Hooks, hook: () => unknown, options: EarshotOptions = {}) {
  const log = keptLog();
  const hooks: Hooks = { [name]: hook }; // also with what the types forbid: JavaScript may hand over anything
  const on = await appOn(t, { hooks, ...options }, { logger: log.logger });
  return { on, log };
}

function sign(sub: string): Promise<string> {
  const token = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject(sub);
  return token.setExpirationTime('1h').sign(new TextEncoder().encode(SECRET));
}

/** Of a promise, the way to end it. */
function deferred() {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<undefined>((_resolve, rejects) => {
    reject = rejects;
  });
  return { promise, reject };
}

for (const name of NAMES) {
  const asks = ASKS[name];

  t.test(`${name} / true or undefined, at once or later → goes on, and nothing is logged`, async (t) => {
    for (const answer of [true, undefined]) {
      for (const hook of [() => answer, async () => answer]) {
        const { on, log } = await hooked(t, name, hook);
        t.equal((await asks(t, on)).code, 'ok', String(answer));
        t.strictSame(log.errors(), []);
      }
    }
  });

  t.test(`${name} / false → forbidden`, async (t) => {
    for (const hook of [() => false, async () => false]) {
      const { on, log } = await hooked(t, name, hook);
      t.equal((await asks(t, on)).code, 'forbidden');
      t.strictSame(log.errors(), []);
    }
  });

  t.test(`${name} / a thrown Refused → its code and its words`, async (t) => {
    const { on, log } = await hooked(t, name, () => {
      throw new Refused('gone', 'moved to another room');
    });
    const { code, text } = await asks(t, on);
    t.equal(code, 'gone');
    t.match(text, 'moved to another room');
    t.strictSame(log.errors(), []);
  });

  t.test(
    `${name} / anything else thrown → internal, one line with its name, and no word of it leaves`,
    async (t) => {
      const fails = [
        () => {
          throw new Error('db-password');
        },
        async () => {
          throw new Error('db-password');
        },
        () => Promise.reject('db-password'),
      ];
      for (const hook of fails) {
        const { on, log } = await hooked(t, name, hook);
        const { code, text } = await asks(t, on);
        t.equal(code, 'internal');
        t.notMatch(text, /db-password|hooks?\.[jt]s|\bat /, 'neither what it was nor where');
        t.equal(log.errors().length, 1);
        t.match(log.errors()[0]?.err, {
          message: new RegExp(`the hook ${name} failed`),
          stack: /db-password/,
        });
      }
    },
  );

  t.test(`${name} / an answer that is none → internal, and not taken for a yes`, async (t) => {
    for (const answer of [null, 0, 1, '', 'yes', [], () => true]) {
      const { on, log } = await hooked(t, name, () => answer);
      t.equal((await asks(t, on)).code, 'internal', JSON.stringify(answer));
      t.equal(log.errors().length, 1);
      t.match(log.errors()[0]?.err?.message, `the hook ${name} failed`);
    }
  });

  t.test(`${name} / late → unavailable and logged; failing after that disturbs nobody`, async (t) => {
    const uncaught = watchUncaught(t);
    const { promise, reject } = deferred();
    const { on, log } = await hooked(t, name, () => promise, { hookTimeoutMs: 20 });
    t.equal((await asks(t, on)).code, 'unavailable');
    t.equal(log.errors().length, 1);
    t.match(log.errors()[0]?.err?.message, `the hook ${name} gave no answer within 20 ms`);
    reject(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
    t.strictSame(uncaught, []);
    t.equal(log.errors().length, 1, 'it was told already');
  });
}

t.test('hooks / each event → who, in which session, from where', async (t) => {
  const seen: Record<string, unknown>[] = [];
  const hooks: Hooks = {
    authorize: (event) => note('authorize', event),
    onConnect: ({ identity, address }) => {
      note('onConnect', { identity, address });
      return { user: 'ann', name: 'Ann', claims: { team: 'a' } };
    },
    onSubscribe: (event) => note('onSubscribe', event),
    onPublish: (event) => note('onPublish', event),
    onDisconnect: (event) => note('onDisconnect', event),
  };
  function note(hook: string, event: object): undefined {
    seen.push({ hook, ...event });
  }
  const on = await appOn(t, { hooks });
  const client = await peer(t, on.wsUrl);
  const { session } = await client.next('welcome');
  await client.call({ type: 'subscribe', channel: 'a', presence: true, offset: '-1' });
  await client.call({ type: 'publish', channel: 'a', data: { n: 1 } });
  client.socket.close();
  await eventually('the end', () => seen.some(({ hook }) => hook === 'onDisconnect'));
  const actor = {
    caller: { user: 'ann', name: 'Ann', claims: { team: 'a' } },
    session,
    address: '127.0.0.1',
  };
  t.match(seen, [
    { hook: 'onConnect', identity: { user: null }, address: '127.0.0.1' },
    { hook: 'authorize', ...actor, action: 'subscribe', channel: 'a' },
    { hook: 'authorize', ...actor, action: 'presence', channel: 'a' },
    { hook: 'onSubscribe', ...actor, channel: 'a', start: '-1', presence: true },
    { hook: 'authorize', ...actor, action: 'publish', channel: 'a' },
    { hook: 'onPublish', ...actor, channel: 'a', data: { n: 1 } },
    { hook: 'onDisconnect', ...actor, transport: 'websocket', cause: 'closed', beganAt: Number },
  ]);
});

t.test('hooks / a request over HTTP → asked as well, with no session', async (t) => {
  const seen: unknown[] = [];
  const on = await appOn(t, {
    hooks: {
      onConnect: ({ request }) => ({ user: String(request.headers['x-user']) }),
      onPublish: ({ caller, session, address }) => {
        seen.push({ user: caller.user, session, address });
        return { meta: { checked: true } };
      },
    },
  });
  const body = JSON.stringify([{ type: 'publish', id: 1, channel: 'a', data: 1 }]);
  const headers = { 'content-type': 'application/json', 'x-user': 'ann' };
  const response = await fetch(`${on.url}/v1/commands`, { method: 'POST', headers, body });
  t.match(await response.json(), [{ type: 'published' }]);
  t.strictSame(seen, [{ user: 'ann', session: undefined, address: '127.0.0.1' }]);
  t.match(await on.app.earshot.history('a'), {
    messages: [{ from: 'ann', data: 1, meta: { checked: true } }],
  });
});

t.test('authorize / true and false → over the table; undefined → the table', async (t) => {
  const on = await appOn(t, {
    dev: false,
    anonymous: true,
    channels: { open: { anonymous: ['subscribe'] } },
    hooks: { authorize: ({ channel }) => ({ extra: true, open: undefined, closed: false })[channel] },
  });
  const client = await peer(t, on.wsUrl);
  t.match(await client.call({ type: 'subscribe', channel: 'extra' }), { type: 'subscribed' });
  t.match(await client.call({ type: 'subscribe', channel: 'open' }), { type: 'subscribed' });
  t.match(await client.call({ type: 'publish', channel: 'open', data: 1 }), { code: 'forbidden' });
  t.match(await client.call({ type: 'subscribe', channel: 'closed' }), { code: 'forbidden' });
});

t.test('onPublish / it changes data, name and notes → readers and the log have what it gave', async (t) => {
  const on = await appOn(t, {
    hooks: {
      onPublish: ({ data }) => ({ data: { said: data }, from: 'moderator', meta: { checked: true } }),
    },
  });
  const client = await peer(t, on.wsUrl);
  await client.call({ type: 'subscribe', channel: 'a' });
  t.match(await client.call({ type: 'publish', channel: 'a', data: 'hi' }), { type: 'published' });
  const changed = { from: 'moderator', data: { said: 'hi' }, meta: { checked: true } };
  t.match(await client.next('message'), changed);
  t.match(await client.call({ type: 'history', channel: 'a' }), { messages: [changed] });
});

t.test('onPublish / it changes some of it → the rest stays', async (t) => {
  const on = await appOn(t, {
    hooks: { onConnect: () => ({ user: 'ann' }), onPublish: () => ({ meta: { n: 1 } }) },
  });
  const client = await peer(t, on.wsUrl);
  await client.call({ type: 'subscribe', channel: 'a' });
  await client.call({ type: 'publish', channel: 'a', data: { as: 'it came' } });
  t.match(await client.next('message'), { from: 'ann', data: { as: 'it came' }, meta: { n: 1 } });
});

t.test(
  'onPublish / a change that can not be → internal, named in the log, and nothing is stored',
  async (t) => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const changes = [{ from: 5 }, { meta: 'x' }, { meta: [1] }, { meta: null }, { meta: circular }];
    for (const change of [...changes, { data: () => 1 }, { data: circular }, { data: 1n }]) {
      const { on, log } = await hooked(t, 'onPublish', () => change);
      t.equal((await asksToPublish(t, on)).code, 'internal');
      t.equal(log.errors().length, 1);
      t.match(log.errors()[0]?.err?.message, 'the hook onPublish');
      t.match(await on.app.earshot.history('a'), { messages: [] });
    }
  },
);

t.test('onPublish / a schema → is asked first', async (t) => {
  let asked = 0;
  const on = await appOn(t, {
    channels: { a: { anonymous: ['publish'], schema: { type: 'string' } } },
    hooks: { onPublish: () => ++asked > 0 },
  });
  const client = await peer(t, on.wsUrl);
  t.match(await client.call({ type: 'publish', channel: 'a', data: 1 }), { code: 'bad_data' });
  t.equal(asked, 0);
  t.match(await client.call({ type: 'publish', channel: 'a', data: 'x' }), { type: 'published' });
});

t.test('onConnect / it knows who it is → user, name, channels; no token is needed', async (t) => {
  const on = await appOn(t, {
    dev: false,
    hooks: {
      onConnect: ({ request }) => {
        if (request.headers['x-user'] !== 'ann') return undefined;
        return { user: 'ann', name: 'Ann\nB.', channels: { 'room/*': ['subscribe'] } };
      },
    },
  });
  t.equal((await asksToConnect(t, on)).code, 'unauthenticated', 'it knows nobody');
  const client = await peer(t, on.wsUrl, { headers: { 'x-user': 'ann' } });
  t.match(await client.next('welcome'), { user: 'ann', name: 'Ann B.' });
  t.match(await client.call({ type: 'subscribe', channel: 'room/1' }), { type: 'subscribed' });
  t.match(await client.call({ type: 'publish', channel: 'room/1', data: 1 }), { code: 'forbidden' });
  t.match(await client.call({ type: 'subscribe', channel: 'lobby' }), { code: 'forbidden' });
  t.match(on.app.earshot.sessions.find('ann'), [{ name: 'Ann B.', expiresAt: null }]);
});

t.test('onConnect / expiresAt → the session ends with 4401 when it comes', async (t) => {
  const causes: string[] = [];
  const on = await appOn(t, {
    hooks: {
      onConnect: () => ({ user: 'ann', expiresAt: Date.now() }),
      onDisconnect: ({ cause }) => {
        causes.push(cause);
        return undefined;
      },
    },
  });
  const client = await peer(t, on.wsUrl);
  t.match(await client.next('bye'), { code: 'unauthenticated', advice: 'refresh' });
  t.match(await client.closed, { code: 4401 });
  t.strictSame(causes, ['expired']);
});

t.test('onConnect / an identity that can not be → internal, and nobody is let in', async (t) => {
  const identities = [
    { user: '' },
    { user: 'x'.repeat(257) },
    { user: 7 },
    { user: null },
    { name: 7 },
    { claims: 'all' },
    { channels: ['a'] },
    { channels: { a: ['fly'] } },
    { channels: { 'a b': ['publish'] } },
    { expiresAt: 'soon' },
    { expiresAt: Number.NaN },
  ];
  for (const identity of identities) {
    const { on, log } = await hooked(t, 'onConnect', () => identity);
    const { code, text } = await asksToConnect(t, on);
    t.equal(code, 'internal', JSON.stringify(identity));
    t.notMatch(text, 'onConnect');
    t.equal(log.errors().length, 1);
    t.match(log.errors()[0]?.err?.message, 'the hook onConnect gave');
    t.equal(on.app.earshot.sessions.count, 0);
  }
});

t.test('onConnect / the token is renewed → what it said stays', async (t) => {
  const byHost = (user?: string) => ({ name: 'Ann', channels: { a: ['subscribe'] }, ...(user && { user }) });
  for (const user of [undefined, 'ann@host']) {
    const hooks = { onConnect: () => byHost(user) };
    const on = await appOn(t, { dev: false, token: { secret: SECRET }, hooks });
    const headers = { authorization: `Bearer ${await sign('ann')}` };
    const client = await peer(t, on.wsUrl, { headers });
    t.match(await client.next('welcome'), { user: user ?? 'ann' });
    const renewed = await client.call({ type: 'authenticate', token: await sign('ann') });
    t.match(renewed, { type: 'authenticated', user: user ?? 'ann' });
    t.match(await client.call({ type: 'publish', channel: 'b', data: 1 }), { code: 'forbidden' });
    t.match(await client.call({ type: 'subscribe', channel: 'a' }), { type: 'subscribed' });
    const others = await client.call({ type: 'authenticate', token: await sign(user ?? 'bob') });
    t.match(others, { code: 'forbidden' }, 'a token of somebody else renews nothing');
  }
});

t.test(
  'onConnect / it names the user of a token itself → revoking the token still ends the session',
  async (t) => {
    const on = await appOn(t, {
      token: { secret: SECRET },
      hooks: { onConnect: ({ identity: { user } }: ConnectEvent) => (user === null ? undefined : { user }) },
    });
    const client = await peer(t, on.wsUrl, { headers: { authorization: `Bearer ${await sign('ann')}` } });
    await client.next('welcome');
    t.equal(on.app.earshot.revoke({ user: 'ann' }), 1);
    t.match(await client.closed, { code: 4401 });
  },
);

t.test(
  'authorize / it fails while a token is renewed → those subscriptions end, one answer, one line each',
  async (t) => {
    let isBroken = false;
    const log = keptLog();
    const authorize = () => {
      if (isBroken) throw new Error('db-password');
      return true;
    };
    const on = await appOn(t, { token: { secret: SECRET }, hooks: { authorize } }, { logger: log.logger });
    const token = await sign('ann');
    const client = await peer(t, on.wsUrl, { headers: { authorization: `Bearer ${token}` } });
    await client.next('welcome');
    for (const channel of ['a', 'b']) await client.call({ type: 'subscribe', channel });
    isBroken = true;
    t.match(await client.call({ type: 'authenticate', token }), { type: 'authenticated' });
    t.match(await client.fence(), [
      { type: 'unsubscribed', channel: 'a', code: 'forbidden' },
      { type: 'unsubscribed', channel: 'b', code: 'forbidden' },
    ]);
    t.equal(log.errors().length, 2);
  },
);

t.test('onDisconnect / sessions end one way or another → told once each, with why', async (t) => {
  const ended: DisconnectEvent[] = [];
  const on = await appOn(t, {
    hooks: {
      onConnect: ({ request }) => ({ user: String(request.headers['x-user']) }),
      onDisconnect: (event) => {
        ended.push(event);
        return undefined;
      },
    },
  });
  const connected = async (user: string) => {
    const client = await peer(t, on.wsUrl, { headers: { 'x-user': user } });
    const { session } = await client.next('welcome');
    return { client, session };
  };
  const told = async (session: string, cause: string) => {
    await eventually(`the end of ${session}`, () => ended.some((event) => event.session === session));
    t.match(
      ended.filter((event) => event.session === session),
      [{ session, cause, transport: 'websocket' }],
    );
  };
  const leaving = await connected('leaving');
  leaving.client.socket.close();
  await told(leaving.session, 'closed');
  const cut = await connected('cut');
  cut.client.socket.terminate();
  await told(cut.session, 'closed');
  const thrown = await connected('thrown');
  t.equal(on.app.earshot.sessions.endUser('thrown'), 1);
  await thrown.client.closed;
  await told(thrown.session, 'closed');
  const drained = await connected('drained');
  await on.app.earshot.drain();
  await drained.client.closed;
  await told(drained.session, 'drain');
  t.equal(ended.length, 4);
});

t.test(
  'onDisconnect / it throws, also a Refused, or never answers → one line, and nobody is disturbed',
  async (t) => {
    const uncaught = watchUncaught(t);
    const failing = [
      () => {
        throw new Error('the end is broken');
      },
      () => Promise.reject(new Refused('gone', 'no')),
      () => new Promise(() => {}),
    ];
    for (const hook of failing) {
      const { on, log } = await hooked(t, 'onDisconnect', hook, { hookTimeoutMs: 20 });
      const client = await peer(t, on.wsUrl);
      await client.next('welcome');
      client.socket.close();
      await eventually('a line', () => log.errors().length > 0);
      t.equal(log.errors().length, 1);
      t.match(log.errors()[0]?.err?.message, 'the hook onDisconnect');
      t.equal((await asksToSubscribe(t, on)).code, 'ok');
    }
    t.strictSame(uncaught, []);
  },
);
