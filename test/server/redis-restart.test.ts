import type { Test } from 'tap';
import t from 'tap';
import { appOn, eventually } from '../support/app.js';
import { eventsIn } from '../support/events.js';
import { peer } from '../support/peer.js';
import { redisServer } from '../support/redis.js';

t.setTimeout(120_000);

/** Redis answers each append when the disk has it. */
const KEPT = { config: ['appendonly yes', 'appendfsync always'] };

/** All that an SSE response brings up to the event whose data says this. */
async function eventsUpTo(t: Test, url: string, last: string): Promise<() => Promise<string[]>> {
  const ended = new AbortController();
  t.teardown(() => ended.abort());
  const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: ended.signal });
  const { body } = response;
  if (body === null) throw new Error('no body');
  return async () => {
    const came: string[] = [];
    for await (const { data = '' } of eventsIn(body)) {
      came.push(data);
      if (data.includes(last)) return came;
    }
    throw new Error(`it ended: ${came}`);
  };
}

t.test(
  'Redis restarts with its data / every technique, in mid-stream → what follows, and no gap',
  async (t) => {
    const redis = await redisServer(t, KEPT);
    const on = await appOn(t, { store: redis.url });
    const { offset } = await on.app.earshot.publish('room', 'one');

    const socket = await peer(t, on.wsUrl);
    await socket.call({ type: 'subscribe', channel: 'room', offset });
    const one = await eventsUpTo(t, `${on.url}/v1/stream/room?offset=${offset}&live=sse`, 'two');
    const several = await eventsUpTo(t, `${on.url}/v1/read?channel=room&offset=${offset}`, 'two');
    const longPoll = fetch(`${on.url}/v1/stream/room?offset=${offset}&live=long-poll`);
    await eventually('all four', () => on.app.earshot.stats().subscriptions === 4);

    await redis.kill();
    await redis.start();
    await eventually('that it is ready', async () => (await fetch(`${on.url}/readyz`)).ok);
    const { offset: next } = await on.app.earshot.publish('room', 'two');

    t.match(await socket.next('message'), { data: 'two', offset: next });
    t.notOk((await socket.fence()).some(({ type }) => type === 'gap'));
    t.notMatch(await one(), /gap|one/);
    t.notMatch((await several()).join(), /"gap"|"one"/);
    const polled = await longPoll;
    t.equal(polled.status, 200);
    t.same(await polled.json(), ['two']);
    const again = await fetch(`${on.url}/v1/stream/room?offset=${offset}`);
    t.same([again.status, await again.json()], [200, ['two']], 'a cursor from before');
  },
);
