import t from 'tap';
import type { Carrier, Fan } from '../../src/core/carrier.js';
import { MAX_WRITE_MESSAGES } from '../../src/core/limits.js';
import type { Peer } from '../support/core.js';
import { Rig } from '../support/core.js';

/** Writes to each as if by itself, and tells how many there were at a time. */
class TellingFan implements Fan<Uint8Array> {
  readonly counts: number[] = [];

  write(carriers: readonly Carrier<Uint8Array>[], printed: Uint8Array): void {
    this.counts.push(carriers.length);
    for (const carrier of carriers) carrier.write(printed);
  }
}

async function peersOn(rig: Rig, channel: string, count: number, fan?: Fan<Uint8Array>): Promise<Peer[]> {
  const peers = Array.from({ length: count }, (_, at) => rig.peer(`p${at}`));
  for (const { carrier } of peers) Object.assign(carrier, { fan });
  for (const each of peers) await each.subscribe(channel);
  return peers;
}

t.test('flush / carriers that have a fan → are written to together, the others by themselves', async (t) => {
  const rig = new Rig();
  const fan = new TellingFan();
  const [together, alone] = [await peersOn(rig, 'a', 300, fan), await peersOn(rig, 'a', 3)];
  await rig.append('a', 1, 2);
  await rig.settle();
  t.equal(
    fan.counts.reduce((sum, count) => sum + count, 0),
    300,
  );
  t.ok(fan.counts.length < 10, 'many at a time');
  for (const each of [...together, ...alone]) t.strictSame(each.data('a'), [1, 2]);
  t.equal(rig.telemetry.out, 2 * 303);
});

t.test('flush / carriers whose fans differ → each has it once', async (t) => {
  const rig = new Rig();
  const fans = [new TellingFan(), new TellingFan()];
  const peers = [await peersOn(rig, 'a', 2, fans[0]), await peersOn(rig, 'a', 2, fans[1])].flat();
  await rig.append('a', 1);
  await rig.settle();
  for (const each of peers) t.strictSame(each.data('a'), [1]);
});

t.test(
  'flush / one with a fan has no room → it falls behind, catches up, and is written to together again',
  async (t) => {
    const rig = new Rig();
    const fan = new TellingFan();
    const [full, ...others] = await peersOn(rig, 'a', 3, fan);
    if (full === undefined) throw new Error('there are three');
    full.carrier.fill();
    await rig.append('a', 1);
    await rig.settle();
    t.strictSame(fan.counts, [2]);
    full.carrier.drain();
    await rig.settle();
    await rig.append('a', 2);
    await rig.settle();
    t.strictSame(fan.counts, [2, 3]);
    for (const each of [full, ...others]) t.strictSame(each.data('a'), [1, 2]);
  },
);

/** Five of whom the third is written to by itself, in the midst of a flush; `run` runs then, once. */
async function fiveOn(rig: Rig, fan: Fan<Uint8Array> | undefined, run: () => void): Promise<Peer[]> {
  const before = await peersOn(rig, 'a', 2, fan);
  const [middle] = await peersOn(rig, 'a', 1);
  const after = await peersOn(rig, 'a', 2, fan);
  if (middle === undefined) throw new Error('there is one');
  const { carrier } = middle;
  Object.defineProperty(carrier, 'write', {
    configurable: true,
    value(bytes: Uint8Array) {
      Reflect.deleteProperty(carrier, 'write');
      carrier.write(bytes);
      run();
    },
  });
  return [...before, middle, ...after];
}

for (const [kind, fan] of [
  ['that have a fan', new TellingFan()],
  ['that have none', undefined],
] as const) {
  t.test(
    `flush / what is a write of its own is published in its midst, carriers ${kind} → all in order`,
    async (t) => {
      const rig = new Rig();
      const more = Array.from({ length: 2 * MAX_WRITE_MESSAGES + 1 }, (_, at) => at + 1);
      const peers = await fiveOn(rig, fan, () => void rig.append('a', ...more));
      await rig.append('a', 0);
      await rig.settle();
      for (const each of peers) t.strictSame(each.data('a'), [0, ...more]);
    },
  );

  t.test(
    `flush / the channel is deleted in its midst, carriers ${kind} → nothing follows the end`,
    async (t) => {
      const rig = new Rig();
      const peers = await fiveOn(rig, fan, () => void rig.store.delete('a'));
      await rig.append('a', 'last');
      await rig.settle();
      const told = peers.map((each) => each.types().filter((type) => !/^(?:welcome|subscribed)$/.test(type)));
      t.strictSame(told.slice(0, 2), Array(2).fill(['unsubscribed']), 'those that it had not come to');
      t.strictSame(told.slice(2), Array(3).fill(['message', 'unsubscribed']), 'those that it had come to');
      t.match(rig.held(), { channels: 0, subscriptions: 0 });
    },
  );
}
