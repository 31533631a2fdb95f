import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import type { Call, Peer } from '../support/peer.js';
import { peer } from '../support/peer.js';
import type { RawResponse } from '../support/raw-socket.js';
import { rawConnect } from '../support/raw-socket.js';
import type { LoggedScene } from './logged-scene.js';
import { loggedScene } from './logged-scene.js';
import type { Scene } from './scene.js';
import { ours, refused, undisturbed } from './scene.js';

// Of a rate this low exactly one comes through while a test runs, since one always may; refill is shown with time
// handed in, in test/core/quota.test.ts.
const ONE = 0.001;

/** Who is it? As the host of these tests believes: by a header; and where it comes from, as its proxy says. */
interface Who {
  readonly user?: string;
  readonly address?: string;
}

const headersOf = ({ user, address }: Who) => ({
  ...(user !== undefined && { 'x-user': user }),
  ...(address !== undefined && { 'x-forwarded-for': address }),
});

function limited(t: Test, options: EarshotOptions): Promise<LoggedScene> {
  const onConnect = ({ request }: { request: { headers: NodeJS.Dict<string | string[]> } }) => {
    const { 'x-user': user } = request.headers;
    return typeof user === 'string' ? { user } : undefined;
  };
  const all = { trustProxy: ['loopback'], hooks: { onConnect }, ...options };
  return loggedScene(t, all, { headers: { 'x-forwarded-for': '198.51.100.1', 'x-user': 'bystander' } });
}

async function enter(t: Test, { wsUrl }: Scene, who: Who): Promise<Peer> {
  const entered = await peer(t, wsUrl, { headers: headersOf(who) });
  await entered.next('welcome');
  return entered;
}

/** Commands over HTTP: their answers. */
async function post({ url }: Scene, who: Who, ...commands: readonly Call[]): Promise<unknown[]> {
  const body = JSON.stringify(commands.map((each, at) => ({ ...each, id: at + 1 })));
  const headers = { 'content-type': 'application/json', ...headersOf(who) };
  return (await fetch(`${url}/v1/commands`, { method: 'POST', headers, body })).json();
}

async function handshakeOf(t: Test, { port }: Scene, who: Who): Promise<RawResponse> {
  const raw = await rawConnect(t, port);
  await raw.send(ours({ headers: headersOf(who) }));
  return raw.response();
}

const ANN: Who = { user: 'ann', address: '203.0.113.1' };
const publish: Call = { type: 'publish', channel: 'a', data: 1 };
const history: Call = { type: 'history', channel: 'a' };

/** Each rate: what sets it, and a command that counts. */
const RATES = {
  commands: { option: 'commandsPerSecond', command: history },
  publishes: { option: 'publishesPerSecond', command: publish },
  bytes: { option: 'bytesPerSecond', command: history },
} as const;

/** Whose limit it is: what sets it, somebody else to whom it applies too, and somebody to whom it doesn't. */
const SCOPES = {
  user: { option: 'perUser', same: { ...ANN, address: '203.0.113.2' }, other: { ...ANN, user: 'bob' } },
  address: { option: 'perAddress', same: { ...ANN, user: 'bob' }, other: { ...ANN, address: '203.0.113.2' } },
} as const;

/** It was counted so often, and told in one line. */
async function noted(t: Test, on: LoggedScene, times: number, labels: { limit: string; scope: string }) {
  t.equal(await on.metric('earshot_limited_total', labels), times, 'each is counted');
  t.equal(await on.metric('earshot_limited_total'), times, 'and nothing else');
  const causes = on.lines().flatMap((line) => JSON.parse(line).cause ?? []);
  const cause = { sessions: 'connect: too_many', connects: 'connect: rate_limited' }[labels.limit];
  const told = causes.filter((each) => each === (cause ?? `${labels.limit} of one ${labels.scope}`));
  t.equal(told.length, 1, `one line of ${causes}`);
}

const LIMITED = { type: 'error', code: 'rate_limited', advice: 'retry' } as const;

for (const [scope, { option: shared, same, other }] of Object.entries(SCOPES)) {
  for (const [limit, { option, command }] of Object.entries(RATES)) {
    t.test(
      `rate / ${limit} of one ${scope} → shared by all its sessions and requests, by nobody else`,
      async (t) => {
        const on = await limited(t, { limits: { [shared]: { [option]: ONE } } });
        const [first, second, another] = [
          await enter(t, on, ANN),
          await enter(t, on, same),
          await enter(t, on, other),
        ];
        t.not((await first.call(command)).type, 'error');
        t.match(await first.call(command), LIMITED);
        t.match(await second.call(command), { ...LIMITED, message: new RegExp(`${limit} .*this ${scope}`) });
        t.match(await post(on, ANN, command, command), [LIMITED, LIMITED]);
        t.match(await post(on, same, command), [LIMITED]);
        t.not((await another.call(command)).type, 'error');
        const stranger = { user: 'carl', address: '203.0.113.9' };
        t.match(await post(on, stranger, command, command), [{ id: 1, offset: /./ }, LIMITED]);
        await noted(t, on, 6, { limit, scope });
        if (limit === 'publishes')
          t.match(await second.call(history), { messages: { length: 3 } }, 'only publishes');
        t.strictSame(on.uncaught, []);
      },
    );
  }

  t.test(`rate / used up over HTTP, of one ${scope} → its sessions have nothing left`, async (t) => {
    const on = await limited(t, { limits: { [shared]: { publishesPerSecond: ONE } } });
    const [ann, another] = [await enter(t, on, ANN), await enter(t, on, other)];
    t.match(await post(on, same, publish), [{ type: 'published' }]);
    t.match(await ann.call(publish), LIMITED);
    t.match(await another.call(publish), { type: 'published' });
    await undisturbed(t, on);
  });

  t.test(`subscriptions / of one ${scope} → too_many, until one of them ends`, async (t) => {
    const on = await limited(t, { limits: { [shared]: { maxSubscriptions: 2 } } });
    const [first, second, another] = [
      await enter(t, on, ANN),
      await enter(t, on, same),
      await enter(t, on, other),
    ];
    const subscribe = (who: Peer, channel: string) => who.call({ type: 'subscribe', channel });
    const TOO_MANY = {
      type: 'error',
      code: 'too_many',
      advice: 'retry',
      message: new RegExp(`this ${scope}`),
    };
    t.match(await subscribe(first, 'a'), { type: 'subscribed' });
    t.match(await subscribe(second, 'a'), { type: 'subscribed' });
    t.match(await subscribe(first, 'b'), TOO_MANY);
    t.match(await subscribe(second, 'b'), TOO_MANY);
    t.match(await subscribe(another, 'a'), { type: 'subscribed' });
    t.equal(await on.metric('earshot_limited_total', { limit: 'subscriptions', scope }), 2);
    await first.call({ type: 'unsubscribe', channel: 'a' });
    t.match(await subscribe(second, 'b'), { type: 'subscribed' });
    t.match(await subscribe(first, 'a'), TOO_MANY);
    second.socket.terminate();
    await on.metricReaches(1, 'earshot_closes_total');
    t.match(await subscribe(first, 'a'), { type: 'subscribed' });
    t.match(await subscribe(first, 'b'), { type: 'subscribed' });
    await undisturbed(t, on);
  });

  t.test(`sessions / of one ${scope} → 429, until one of them ends`, async (t) => {
    const on = await limited(t, { limits: { [shared]: { maxSessions: 2 } } });
    const [first] = [await enter(t, on, ANN), await enter(t, on, same)];
    for (const who of [ANN, same]) {
      const response = await refused(t, on, ours({ headers: headersOf(who) }), {
        status: 429,
        code: 'too_many',
      });
      t.match(response.headers['retry-after'], /^\d+$/);
      t.match(JSON.parse(response.body), { advice: 'retry', detail: new RegExp(`this ${scope}`) });
    }
    t.equal((await fetch(`${on.url}/v1/session`, { headers: headersOf(ANN) })).status, 429, 'told why');
    await enter(t, on, other);
    await noted(t, on, 3, { limit: 'sessions', scope });
    first.socket.close();
    await on.metricReaches(1, 'earshot_closes_total');
    await enter(t, on, ANN);
    t.equal((await handshakeOf(t, on, ANN)).status, 429);
  });
}

t.test('sessions / of one user, many at the same time → no more than may be', async (t) => {
  const on = await limited(t, { limits: { perUser: { maxSessions: 3 } } });
  const attempts = Array.from({ length: 20 }, () => handshakeOf(t, on, ANN));
  const statuses = (await Promise.all(attempts)).map(({ status }) => status);
  t.equal(statuses.filter((status) => status === 101).length, 3);
  t.equal(statuses.filter((status) => status === 429).length, 17);
  await undisturbed(t, on);
});

t.test(
  'connects / of one address → 429 for upgrades and requests alike, whoever asks; not from another',
  async (t) => {
    const on = await limited(t, { limits: { perAddress: { connectsPerSecond: ONE } } });
    await enter(t, on, ANN);
    for (const who of [ANN, { ...ANN, user: 'bob' }, { address: '203.0.113.1' }]) {
      const response = await refused(t, on, ours({ headers: headersOf(who) }), {
        status: 429,
        code: 'rate_limited',
      });
      t.match(response.headers['retry-after'], /^\d+$/);
      t.match(JSON.parse(response.body), { advice: 'retry', detail: /connects from this address/ });
    }
    t.equal((await fetch(`${on.url}/v1/session`, { headers: headersOf(ANN) })).status, 429);
    const headers = { 'content-type': 'application/json', ...headersOf(ANN) };
    t.equal((await fetch(`${on.url}/v1/commands`, { method: 'POST', headers, body: '[]' })).status, 429);
    await enter(t, on, { ...ANN, address: '203.0.113.2' });
    t.match(await post(on, { ...ANN, address: '203.0.113.3' }, history), [{ type: 'history' }]);
    await noted(t, on, 5, { limit: 'connects', scope: 'address' });
  },
);

for (const [limit, { option, command }] of Object.entries(RATES)) {
  t.test(`rate / ${limit} of one session → no other session of the same user is concerned`, async (t) => {
    const on = await limited(t, {
      limits: { [option]: ONE, ...(limit === 'commands' && { commandBurst: 1 }) },
    });
    const [first, second] = [await enter(t, on, ANN), await enter(t, on, ANN)];
    t.not((await first.call(command)).type, 'error');
    t.match(await first.call(command), { ...LIMITED, message: new RegExp(`${limit} of this session`) });
    t.match(await first.call(command), LIMITED);
    t.not((await second.call(command)).type, 'error');
    await noted(t, on, 2, { limit, scope: 'session' });
  });

  t.test(
    `rate / ${limit} over HTTP, without a session → those of one session are the caller's`,
    async (t) => {
      const on = await limited(t, {
        limits: { [option]: ONE, ...(limit === 'commands' && { commandBurst: 1 }) },
      });
      t.match(await post(on, ANN, command, command), [{ id: 1, offset: /./ }, LIMITED]);
      t.match(await post(on, { ...ANN, address: '203.0.113.2' }, command), [LIMITED], 'wherever the user is');
      t.match(await post(on, { user: 'bob' }, command), [{ id: 1, offset: /./ }]);
      const anonymous = { address: '203.0.113.5' };
      t.match(await post(on, anonymous, command, command), [{ id: 1, offset: /./ }, LIMITED]);
      t.match(await post(on, { address: '203.0.113.6' }, command), [{ id: 1, offset: /./ }]);
      t.equal(await on.metric('earshot_limited_total', { limit, scope: 'user' }), 2);
      t.equal(await on.metric('earshot_limited_total', { limit, scope: 'address' }), 1);
    },
  );
}

t.test('subscriptions / of one session → too_many; another of the same user has its own', async (t) => {
  const on = await limited(t, { limits: { maxSubscriptions: 1 } });
  const [first, second] = [await enter(t, on, ANN), await enter(t, on, ANN)];
  t.match(await first.call({ type: 'subscribe', channel: 'a' }), { type: 'subscribed' });
  t.match(await first.call({ type: 'subscribe', channel: 'b' }), { code: 'too_many', advice: 'retry' });
  t.match(await second.call({ type: 'subscribe', channel: 'b' }), { type: 'subscribed' });
  t.equal(await on.metric('earshot_limited_total', { limit: 'subscriptions', scope: 'session' }), 1);
  await undisturbed(t, on);
});

t.test(
  'channel / publishes by its rule → rate_limited, by user and by channel, over any transport',
  async (t) => {
    const channels = {
      'slow/*': { anonymous: ['publish'], publishesPerSecond: ONE },
      '**': {},
    } satisfies EarshotOptions['channels'];
    const on = await limited(t, { channels });
    const to = (channel: string): Call => ({ type: 'publish', channel, data: 1 });
    const ann = await enter(t, on, ANN);
    t.match(await ann.call(to('slow/a')), { type: 'published' });
    t.match(await ann.call(to('slow/a')), { ...LIMITED, message: /to this channel/ });
    t.match(await post(on, { ...ANN, address: '203.0.113.2' }, to('slow/a')), [LIMITED]);
    t.match(await post(on, ANN, to('slow/b'), to('slow/b')), [{ type: 'published' }, LIMITED]);
    t.match(await ann.call(to('a')), { type: 'published' });
    t.match(await post(on, { user: 'bob' }, to('slow/a')), [{ type: 'published' }]);
    const anonymous = { address: '203.0.113.5' };
    t.match(await post(on, anonymous, to('slow/a'), to('slow/a')), [{ type: 'published' }, LIMITED]);
    t.equal(await on.metric('earshot_limited_total', { limit: 'publishes', scope: 'channel' }), 4);
    const causes = on.lines().flatMap((line) => JSON.parse(line).cause ?? []);
    t.strictSame(causes, ['publish: rate_limited']);
    await undisturbed(t, on);
  },
);

t.test(
  'channel / bytes of a message by its rule → too_large, counted in bytes, and stored by nobody',
  async (t) => {
    const on = await limited(t, { channels: { 'small/*': { maxMessageBytes: 10 }, '**': {} } });
    const to = (data: string, channel = 'small/a'): Call => ({ type: 'publish', channel, data });
    const ann = await enter(t, on, ANN);
    const TOO_LARGE = { type: 'error', code: 'too_large', advice: 'never', message: /at most 10 bytes/ };
    t.match(await ann.call(to('12345678')), { type: 'published' }, 'ten with its quotes');
    t.match(await ann.call(to('123456789')), TOO_LARGE);
    t.match(await ann.call(to('äöüÄÖ')), TOO_LARGE, 'seven characters, twelve bytes');
    t.match(await post(on, ANN, to('123456789'), to('1')), [TOO_LARGE, { type: 'published' }]);
    t.match(await ann.call(to('123456789', 'large')), { type: 'published' });
    t.equal(await on.metric('earshot_limited_total', { limit: 'size', scope: 'channel' }), 3);
    const stored = await on.app.earshot.history('small/a');
    t.strictSame(
      stored.messages.map(({ data }) => data),
      ['12345678', '1'],
    );
    await undisturbed(t, on);
  },
);
