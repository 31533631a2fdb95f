import t from 'tap';
import { WorkerBus } from '../../src/server/workers/bus.js';
import { Relay } from '../../src/server/workers/relay.js';
import { LinkEnd, settled } from '../support/store-links.js';

/** A worker's bus, and the primary's end of its link. */
function join(relay: Relay) {
  const [near, far] = [new LinkEnd(), new LinkEnd()];
  near.other = far;
  far.other = near;
  const leave = relay.join(far);
  const bus = new WorkerBus(near);
  const heard: string[] = [];
  const stop = bus.listen((text) => heard.push(text));
  return { bus, heard, stop, leave, near, far };
}

t.test('bus / what one worker says → all others hear, in order, and it does not', async (t) => {
  const relay = new Relay();
  const [a, b, c] = [join(relay), join(relay), join(relay)];
  for (const text of ['1', '2', '3']) a.bus.publish(text);
  await settled();
  t.same([a.heard, b.heard, c.heard], [[], ['1', '2', '3'], ['1', '2', '3']]);
  t.equal(b.near.came.length, 1, 'what one turn brings comes together');
  b.stop();
  c.leave();
  a.bus.publish('4');
  await settled();
  t.same(
    [b.heard, c.heard],
    [
      ['1', '2', '3'],
      ['1', '2', '3'],
    ],
    'who does not listen, or has left, hears no more',
  );
});

t.test('bus / to a worker that takes nothing → a bounded amount waits, the others hear all', async (t) => {
  const relay = new Relay();
  const [a, stuck, b] = [join(relay), join(relay), join(relay)];
  stuck.far.hold();
  const large = 'x'.repeat(1024 * 1024);
  for (let count = 0; count < 40; count++) {
    a.bus.publish(large);
    await settled();
  }
  t.equal(b.heard.length, 40);
  stuck.far.pass();
  await settled();
  t.ok(stuck.heard.length >= 16 && stuck.heard.length <= 20, `${stuck.heard.length} were kept for it`);
  a.bus.publish('and on');
  await settled();
  t.equal(stuck.heard.at(-1), 'and on');
});

t.test('bus / of a worker whose primary takes nothing → a bounded amount waits', async (t) => {
  const relay = new Relay();
  const [stuck, b] = [join(relay), join(relay)];
  stuck.near.hold();
  const large = 'x'.repeat(1024 * 1024);
  for (let count = 0; count < 40; count++) {
    stuck.bus.publish(large);
    await settled();
  }
  stuck.near.pass();
  await settled();
  t.ok(b.heard.length >= 16 && b.heard.length <= 20, `${b.heard.length} were kept`);
});
