import type { Test } from 'tap';
import t from 'tap';
import type { Asker } from '../../src/core/commands/context.js';
import { MAX_SLICE_BYTES, MAX_SLICE_MESSAGES } from '../../src/core/limits.js';
import { append } from '../../src/core/streams/append.js';
import { identityOf, promises, Rig } from '../support/core.js';

const ASKED = { contentType: 'application/json', producer: undefined, order: undefined, closes: false };

/** Appends a body to a channel that is there. It is not waited for. */
async function begin(rig: Rig, channel: string, body: string): Promise<{ readonly done: Promise<unknown> }> {
  await rig.store.create(channel, { contentType: 'application/json' });
  const identity = identityOf('ann');
  const actor = { caller: identity, session: 'request', address: '192.0.2.1' };
  const asker: Asker = { identity, actor, telemetry: rig.node.telemetry, journal: rig.node.journal };
  return { done: append(rig.node, asker, { ...ASKED, channel, body: Buffer.from(body) }) };
}

async function storedIn(rig: Rig, channel: string): Promise<number> {
  await promises();
  return (await rig.store.open(channel)).seq;
}

/** In how many turns from now the channel has all of them; until then it has none. */
async function turnsUntil(t: Test, rig: Rig, channel: string, count: number): Promise<number> {
  for (let turns = 0; turns < 1000; turns++) {
    const stored = await storedIn(rig, channel);
    if (stored === count) return turns;
    t.equal(stored, 0);
    rig.turn();
  }
  throw new Error(`${count} messages did not come`);
}

const bodies = {
  'many messages': { count: 10 * MAX_SLICE_MESSAGES, value: 1 },
  'large messages': { count: 40, value: 'x'.repeat(MAX_SLICE_BYTES / 8) },
};
for (const [name, { count, value }] of Object.entries(bodies)) {
  t.test(`a body / of ${name} → takes a turn for each slice; what is small is done meanwhile`, async (t) => {
    const rig = new Rig({ limits: { maxFrameBytes: MAX_SLICE_BYTES }, retention: { bytes: 1e9 } });
    await begin(rig, 'large', JSON.stringify(Array(count).fill(value)));
    t.equal(await storedIn(rig, 'large'), 0);
    await begin(rig, 'small', '[1,2,3]');
    t.equal(await storedIn(rig, 'small'), 3, 'in the same turn');
    const turns = await turnsUntil(t, rig, 'large', count);
    t.ok(turns >= 10 && turns <= 21, `${turns} turns, to parse and to admit`);
  });
}

t.test('bodies / two large ones → take turns, one slice in each', async (t) => {
  const count = 10 * MAX_SLICE_MESSAGES;
  const turnsFor = async (channels: readonly string[]) => {
    const rig = new Rig();
    for (const channel of channels) await begin(rig, channel, JSON.stringify(Array(count).fill(1)));
    return turnsUntil(t, rig, channels.at(-1) ?? '', count);
  };
  t.equal(await turnsFor(['a', 'b']), 2 * (await turnsFor(['a'])));
});

t.test('a body / whose last message is no JSON → nothing of it is stored', async (t) => {
  const rig = new Rig();
  const { done } = await begin(rig, 'a', `[${'1,'.repeat(MAX_SLICE_MESSAGES + 1)}x]`);
  const refused = t.rejects(done, { code: 'bad_request' });
  await rig.settle();
  await refused;
  t.equal(await storedIn(rig, 'a'), 0);
});
