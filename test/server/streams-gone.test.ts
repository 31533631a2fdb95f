import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/server/options/options.js';
import { eventually } from '../support/app.js';
import type { RawSocket } from '../support/raw-socket.js';
import { rawConnect } from '../support/raw-socket.js';
import type { Sent, StreamScene } from './streams-scene.js';
import {
  begin,
  JSON_BODY,
  put,
  requestText,
  sessionsLeft,
  streamScene,
  undisturbedStreams,
} from './streams-scene.js';

t.setTimeout(120_000);

const EVENTS = { accept: 'text/event-stream' };
/** Each way to wait. */
const WAITS: Readonly<Record<string, Sent>> = {
  'long-poll': { path: '/v1/stream/a?offset=now&live=long-poll' },
  sse: { path: '/v1/stream/a?offset=now&live=sse' },
  'long-poll of several': { path: '/v1/read?channel=a&channel=b&waitMs=60000' },
  'sse of several': { path: '/v1/read?channel=a&channel=b', headers: EVENTS },
};

/** Nothing is held but by the bystanders: a session over WebSocket and one that waits elsewhere. */
async function nothingHeld(t: Test, on: StreamScene): Promise<void> {
  await sessionsLeft(on, 2);
  const { subscriptions, channels, queuedBytes } = on.app.earshot.stats();
  t.match({ subscriptions, channels, queuedBytes }, { subscriptions: 1, channels: 1, queuedBytes: 0 });
  t.equal(on.app.earshot.sessions.list().length, 2);
  t.equal(await on.metric('earshot_subscriptions'), 1);
  await undisturbedStreams(t, on);
}

/** A hook that waits until it is let go; `reached` resolves when it was called so often. */
function gate() {
  let calls = 0;
  let open = () => {};
  const opened = new Promise<undefined>((resolve) => {
    open = () => resolve(undefined);
  });
  let isShut = false;
  return {
    shut: () => {
      isShut = true;
    },
    open: () => open(),
    pass: () => {
      if (!isShut) return undefined;
      calls++;
      return opened;
    },
    reached: (times: number) => eventually(`${times} calls`, () => calls >= times),
  };
}

for (const [kind, sent] of Object.entries(WAITS)) {
  t.test(`${kind} / whose client goes away → nothing of it is left`, async (t) => {
    const on = await streamScene(t);
    await put(on, 'a');
    for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const raw = await begin(t, on, sent);
      await eventually('its session', () => on.app.earshot.stats().subscriptions > 1);
      raw.socket[leave]();
      await sessionsLeft(on, 2);
    }
    await nothingHeld(t, on);
  });

  t.test(`${kind} / whose client goes away while it is asked who may → the same`, async (t) => {
    const checks: Readonly<Record<string, (pass: () => Promise<undefined> | undefined) => EarshotOptions>> = {
      onConnect: (onConnect) => ({ hooks: { onConnect } }),
      authorize: (authorize) => ({ hooks: { authorize } }),
      onSubscribe: (onSubscribe) => ({ hooks: { onSubscribe } }),
    };
    for (const [name, optionsOf] of Object.entries(checks)) {
      const { shut, open, pass, reached } = gate();
      const on = await streamScene(t, optionsOf(pass));
      await put(on, 'a');
      shut();
      const raw = await begin(t, on, sent);
      await reached(1);
      raw.socket.destroy();
      await raw.closed;
      if (name !== 'onConnect') await sessionsLeft(on, 2); // at once, not when the hook has answered
      open();
      await nothingHeld(t, on);
    }
  });

  t.test(`${kind} / behind another on its connection, which ends → neither is left`, async (t) => {
    const on = await streamScene(t);
    await put(on, 'a');
    const raw = await rawConnect(t, on.port);
    const one = requestText({ ...sent, headers: { connection: 'keep-alive', ...sent.headers } });
    await raw.send(Buffer.concat(Array(20).fill(one)));
    await eventually('their sessions', () => on.app.earshot.stats().sessions === 22);
    raw.socket.destroy();
    await nothingHeld(t, on);
  });
}

t.test(
  '/v1/session as events / behind another on its connection, which ends → others find room',
  async (t) => {
    const on = await streamScene(t);
    const raw = await rawConnect(t, on.port);
    const one = requestText({
      path: '/v1/session?silentMs=100000',
      headers: { connection: 'keep-alive', ...EVENTS },
    });
    await raw.send(Buffer.concat(Array(100).fill(one)));
    await eventually('no more room', () => on.app.earshot.heldAnswers.full);
    raw.socket.destroy();
    await eventually('room', () => on.app.earshot.heldAnswers.count === 0);
    await undisturbedStreams(t, on);
  },
);

t.test('a body / whose client goes away in the middle → nothing is stored or made', async (t) => {
  const on = await streamScene(t);
  await put(on, 'a');
  for (const [method, channel] of [
    ['POST', 'a'],
    ['PUT', 'b'],
  ] as const) {
    for (const headers of [{ 'content-length': '20' }, { 'transfer-encoding': 'chunked' }]) {
      const path = `/v1/stream/${channel}`;
      const raw = await begin(t, on, { method, path, headers: { ...JSON_BODY, ...headers } });
      await raw.send('3\r\n[1]\r\n');
      raw.socket.resetAndDestroy();
      await raw.closed;
    }
  }
  t.equal(await (await fetch(`${on.url}/v1/stream/a`)).text(), '[]');
  t.equal((await fetch(`${on.url}/v1/stream/b`)).status, 404);
  await nothingHeld(t, on);
});

t.test(
  'a POST / whose client goes away while a hook looks at it → is done all the same, and once',
  async (t) => {
    const { shut, open, pass, reached } = gate();
    const on = await streamScene(t, { hooks: { onPublish: pass } });
    await put(on, 'a');
    shut();
    const raw = await begin(t, on, { method: 'POST', path: '/v1/stream/a', headers: JSON_BODY, body: '[1]' });
    await reached(1);
    raw.socket.resetAndDestroy();
    await raw.closed;
    open();
    await eventually('the message', async () => {
      return (await (await fetch(`${on.url}/v1/stream/a`)).text()) === '[1]';
    });
    await nothingHeld(t, on);
  },
);

t.test('answers / that nobody takes → the connection is cut', async (t) => {
  const on = await streamScene(t, { stallTimeoutMs: 1000 });
  await put(on, 'a', {}, JSON.stringify(Array(20).fill('x'.repeat(60_000))));
  const reads = ['/v1/stream/a', '/v1/read?channel=a&offset=-1', '/v1/stream/a?offset=-1&live=long-poll'];
  const before = await connectionsOf(on);
  const cut: RawSocket[] = [];
  for (const path of reads) {
    const raw = await rawConnect(t, on.port);
    raw.socket.pause();
    await raw.send(
      Buffer.concat(Array(200).fill(requestText({ path, headers: { connection: 'keep-alive' } }))),
    );
    cut.push(raw);
  }
  await eventually('their connections are cut', async () => (await connectionsOf(on)) <= before);
  for (const { socket } of cut) socket.destroy();
  await sessionsLeft(on, 2);
  await undisturbedStreams(t, on);
});

function connectionsOf({ app }: StreamScene): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

t.test('presence / of polls that never come back → is bounded', async (t) => {
  const on = await streamScene(t);
  const channels = Array.from({ length: 120 }, (_, at) => `channel=c${at}`).join('&');
  const agentless = Array.from({ length: 100 }, () => `/v1/read?${channels}`);
  for (const path of agentless) t.equal((await fetch(on.url + path)).status, 200);
  let members = 0;
  for (let at = 0; at < 120; at++) members += on.app.earshot.presence(`c${at}`).count;
  t.equal(members, 10_000, 'of 12,000 that were there once');
  await nothingHeld(t, on);
});
