import fc from 'fast-check';
import t from 'tap';
import type { FakeSocket, Sent } from '../support/fake-socket.js';
import { fakeClient, settle } from '../support/fake-socket.js';

/** Ends as its outcome: `stored`, or the code of the error. */
function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'stored',
    (error: { code: string }) => error.code,
  );
}

function accept(socket: FakeSocket, command: Sent, duplicate = false): void {
  const offset = String(command.data);
  socket.push({ type: 'published', id: command.id, channel: command.channel, offset, duplicate });
}

/** What was published, as `data@epoch.seq`. */
function published(socket: FakeSocket, from = 0): string[] {
  return socket
    .of('publish')
    .slice(from)
    .map(({ data, producer }) => `${data}@${producer?.epoch}.${producer?.seq}`);
}

t.test('publish / connected → numbered, pipelined, answered with the offset', async (t) => {
  const { client, connect } = fakeClient();
  const socket = await connect();
  const first = client.publish('a', 'x');
  const others = [client.publish('a', 'y'), client.publish('b', 'z')];
  t.same(published(socket), ['x@0.0', 'y@0.1', 'z@0.0'], 'each channel has its own numbers');
  const [x, y, z] = socket.of('publish');
  t.match(x?.producer?.id, /^[0-9a-f]{32}$/);
  t.equal(z?.producer?.id, x?.producer?.id);
  for (const command of [x, y, z]) if (command) accept(socket, command, command === y);
  t.same(await first, { offset: 'x', duplicate: false });
  t.match(await Promise.all(others), [{ duplicate: true }, { duplicate: false }]);
});

t.test('publish / offline → waits in order; the data is that of the call', async (t) => {
  const { client, connect } = fakeClient();
  const data = { n: 1 };
  const done = [client.publish('a', data), client.publish('a', 'next')];
  data.n = 2;
  const socket = await connect();
  t.same(
    socket.of('publish').map((command) => command.data),
    [{ n: 1 }, 'next'],
  );
  client.close();
  t.same(await Promise.all(done.map(outcome)), ['closed_by_client', 'closed_by_client']);
});

t.test(
  'publish / cut before the answer → sent again under the same number, before what is new',
  async (t) => {
    const { client, connect, comeBack } = fakeClient();
    const first = await connect();
    const done = ['x', 'y', 'z'].map((data) => client.publish('a', data));
    const [x] = first.of('publish');
    if (x) accept(first, x);
    first.cut();
    done.push(client.publish('a', 'new'));
    const second = await comeBack();
    t.same(published(second), ['y@0.1', 'z@0.2', 'new@0.3']);
    for (const command of second.of('publish')) accept(second, command, command.data === 'y');
    t.same(
      (await Promise.all(done)).map(({ duplicate }) => duplicate),
      [false, true, false, false],
    );
  },
);

t.test('publish refused / → rejects; what follows is numbered anew and sent under new ids', async (t) => {
  const { client, connect } = fakeClient();
  const socket = await connect();
  const done = ['x', 'bad', 'y', 'z'].map((data) => outcome(client.publish('a', data)));
  const [x, bad, y, z] = socket.of('publish') as [Sent, Sent, Sent, Sent];
  accept(socket, x);
  socket.refuse(bad.id, 'bad_data', 'never');
  t.same(published(socket, 4), ['y@1.0', 'z@1.1']);
  socket.refuse(y.id, 'out_of_sequence', 'never');
  socket.refuse(z.id, 'out_of_sequence', 'never');
  t.equal(socket.of('publish').length, 6, 'answers to the old ids are of no interest');
  for (const command of socket.of('publish').slice(4)) accept(socket, command);
  t.same(await Promise.all(done), ['stored', 'bad_data', 'stored', 'stored']);
});

t.test('publish refused / out of order → judged when it is the head', async (t) => {
  const { client, connect } = fakeClient();
  const socket = await connect();
  const done = ['x', 'bad', 'y'].map((data) => outcome(client.publish('a', data)));
  const [x, bad] = socket.of('publish') as [Sent, Sent];
  socket.refuse(bad.id, 'forbidden', 'never');
  t.equal(socket.of('publish').length, 3);
  accept(socket, x);
  t.same(published(socket, 3), ['y@1.0']);
  accept(socket, socket.last('publish'));
  t.same(await Promise.all(done), ['stored', 'forbidden', 'stored']);
});

t.test(
  'publish refused / one that was sent before → what follows keeps its number until answered',
  async (t) => {
    const { client, connect, comeBack } = fakeClient();
    await connect();
    const done = ['x', 'y', 'z'].map((data) => outcome(client.publish('a', data)));
    const socket = await comeBack();
    const [x, y, z] = socket.of('publish') as [Sent, Sent, Sent];
    socket.refuse(x.id, 'forbidden', 'never');
    t.equal(socket.of('publish').length, 3, 'y may be stored, so it must not get another number');
    accept(socket, y, true);
    socket.refuse(z.id, 'out_of_sequence', 'never');
    t.same(published(socket, 3), ['z@1.0'], 'z is not');
    accept(socket, socket.last('publish'));
    t.same(await Promise.all(done), ['forbidden', 'stored', 'stored']);
  },
);

t.test('publish / rate limited → it and all after it go out again later, in order', async (t) => {
  const { client, clock, connect } = fakeClient();
  const socket = await connect();
  const done = ['x', 'y'].map((data) => outcome(client.publish('a', data)));
  const [x, y] = socket.of('publish') as [Sent, Sent];
  socket.refuse(x.id, 'rate_limited', 'retry');
  socket.refuse(y.id, 'out_of_sequence', 'never');
  done.push(outcome(client.publish('a', 'z')));
  await clock.pass(499);
  t.equal(socket.of('publish').length, 2);
  await clock.pass(1);
  t.same(published(socket, 2), ['x@0.0', 'y@0.1', 'z@0.2']);
  const [again] = socket.of('publish').slice(2) as [Sent];
  socket.refuse(again.id, 'rate_limited', 'retry');
  await clock.pass(9500);
  t.same(await Promise.all(done.slice(0, 2)), ['timeout', 'timeout'], 'until their time is over');
});

t.test('publish / the server has lost the producer → a new epoch', async (t) => {
  const { client, connect } = fakeClient();
  const socket = await connect();
  const stored = client.publish('a', 'x');
  accept(socket, socket.last('publish'));
  await stored;
  const done = ['y', 'z'].map((data) => outcome(client.publish('a', data)));
  const [, y, z] = socket.of('publish') as [Sent, Sent, Sent];
  for (const { id } of [y, z]) socket.refuse(id, 'out_of_sequence', 'never');
  t.same(published(socket, 3), ['y@1.0', 'z@1.1']);
  const [first] = socket.of('publish').slice(3) as [Sent];
  socket.refuse(first.id, 'out_of_sequence', 'never');
  t.equal(await done[0], 'out_of_sequence', 'even so: it is not tried for ever');
  t.same(published(socket, 5), ['z@2.0']);
});

t.test('publish / given up before it was sent → not sent; after → its number stays used', async (t) => {
  const { client, clock, connect, comeBack } = fakeClient();
  const control = new AbortController();
  const unsent = outcome(client.publish('a', 'unsent', { signal: control.signal }));
  control.abort();
  t.equal(await unsent, 'aborted');
  t.equal(await outcome(client.publish('a', 1, { signal: AbortSignal.abort() })), 'aborted');
  await connect();
  const ghost = outcome(client.publish('a', 'ghost', { timeoutMs: 10 }));
  const done = outcome(client.publish('a', 'y'));
  await clock.pass(10);
  t.equal(await ghost, 'timeout');
  const socket = await comeBack();
  t.same(published(socket), ['ghost@0.0', 'y@0.1']);
  const [g, y] = socket.of('publish') as [Sent, Sent];
  socket.refuse(g.id, 'unavailable', 'retry');
  accept(socket, y);
  t.equal(await done, 'stored', 'nobody waits for a ghost');
});

t.test('publish / more than a window → the rest follows as answers come', async (t) => {
  const { client, connect } = fakeClient();
  const socket = await connect();
  const done = Array.from({ length: 40 }, (_, data) => outcome(client.publish('a', data)));
  t.equal(socket.of('publish').length, 32);
  for (let i = 0; i < 40; i++) accept(socket, socket.of('publish')[i] as Sent);
  t.same(new Set(await Promise.all(done)), new Set(['stored']));
});

t.test('publish / larger than a frame → refused here, for the server would end the session', async (t) => {
  const { client, connect } = fakeClient();
  const done = [outcome(client.publish('a', 'ü'.repeat(40_000))), outcome(client.publish('a', 'x'))];
  const socket = await connect();
  t.equal(await done[0], 'too_large');
  t.same(published(socket), ['x@0.0']);
  client.publish('a', 'x'.repeat(60_000)).catch(() => {});
  t.equal(socket.of('publish').length, 2, 'what fits goes');
  client.close();
});

t.test('publish / what is not JSON → bad_data', async (t) => {
  const { client } = fakeClient();
  const circle: unknown[] = [];
  circle.push(circle);
  for (const data of [undefined, () => {}, circle, 1n])
    t.equal(await outcome(client.publish('a', data)), 'bad_data');
});

t.test(
  'publish / once: false → plain; disconnected where cut in flight, kept where not yet sent',
  async (t) => {
    const { client, connect, comeBack } = fakeClient();
    const first = await connect();
    const lost = outcome(client.publish('a', 1, { once: false }));
    await settle();
    t.equal(first.last('publish').producer, undefined);
    first.cut();
    const kept = outcome(client.publish('a', 2, { once: false }));
    t.equal(await lost, 'disconnected');
    const second = await comeBack();
    t.equal(second.of('publish').length, 1);
    accept(second, second.last('publish'));
    t.equal(await kept, 'stored');
  },
);

/** A channel that keeps the rules of producers, whatever the connections do. */
class Channel {
  readonly stored: unknown[] = [];
  #epoch = -1;
  #lastSeq = -1;

  /** The code of the refusal, or whether it was stored before. */
  append({ data, producer }: Sent): string | boolean {
    if (producer === undefined) throw new Error('no producer');
    if (producer.epoch < this.#epoch) return 'fenced';
    const isNew = producer.epoch > this.#epoch;
    if (!isNew && producer.seq <= this.#lastSeq) return true;
    if (producer.seq !== (isNew ? 0 : this.#lastSeq + 1)) return 'out_of_sequence';
    this.#epoch = producer.epoch;
    this.#lastSeq = producer.seq;
    this.stored.push(data);
    return false;
  }
}

const RUNS = 100;

/** What happens next: a publish, commands taken by the server, answers that arrive, a cut, time. */
const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('publish' as const), n: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('take' as const), n: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('answer' as const), n: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), n: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), n: fc.integer({ min: 1, max: 3000 }) }),
  },
);

/** What the server does with the next command: mostly takes it; the rest are refusals. */
const mood = fc.constantFrom('take', 'take', 'take', 'take', 'rate_limited', 'forbidden', 'late failure');

type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;

/**
 * Runs the story to its end, and returns the outcome of each publish and what was stored. With `late`, what
 * was sent on a connection that is gone may be taken after what was sent on the next one; who may publish
 * what is then a rule, not a mood.
 */
async function play(acts: readonly Act[], moods: readonly string[], late: boolean) {
  const { client, clock, connect, sockets } = fakeClient({ idleTimeoutMs: 1e9 });
  const channel = new Channel();
  const outcomes: Promise<string>[] = [];
  const arrived: { socket: FakeSocket; command: Sent }[] = [];
  const answers: (() => void)[] = [];
  let turn = 0;
  const isOpen = (socket: FakeSocket) => client.state === 'connected' && socket === sockets.at(-1);
  const join = async () => {
    const socket = await connect();
    socket.onCommand = (command) => arrived.push({ socket, command });
    // what was sent while the welcome was taken
    for (const command of socket.of('publish')) arrived.push({ socket, command });
  };
  const take = () => {
    const from = (late && turn % 3 === 0 ? arrived.at(-1) : arrived[0])?.socket;
    const [next] = arrived.splice(
      Math.max(
        0,
        arrived.findIndex(({ socket }) => socket === from),
      ),
      1,
    );
    if (next === undefined) return;
    const { socket, command } = next;
    const mood = moods[turn++ % moods.length] ?? 'take';
    const rule = Number(command.data) % 4 === 3 ? 'forbidden' : mood === 'forbidden' ? 'take' : mood;
    const how = late ? rule : mood;
    // A failure that comes late leaves the message stored, and says it may be tried again.
    const result = how === 'take' || how === 'late failure' ? channel.append(command) : how;
    answers.push(() => {
      if (!isOpen(socket)) return;
      if (how === 'late failure') socket.refuse(command.id, 'internal', 'retry');
      else if (typeof result === 'boolean') accept(socket, command, result);
      else socket.refuse(command.id, result, result === 'rate_limited' ? 'retry' : 'never');
    });
  };
  await join();
  const steps = {
    publish: () => void outcomes.push(outcome(client.publish('a', outcomes.length, { timeoutMs: 60_000 }))),
    take,
    answer: () => answers.shift()?.(),
  };
  for (const { do: what, n } of acts) {
    if (what === 'cut') {
      sockets.at(-1)?.cut();
      client.wake();
      await join();
    } else if (what === 'wait') await clock.pass(n);
    else for (let i = 0; i < n; i++) steps[what]();
  }
  moods = ['take'];
  for (let round = 0; round < 40; round++) {
    while (arrived.length + answers.length > 0) {
      take();
      steps.answer();
    }
    await clock.pass(600);
  }
  await clock.pass(60_000);
  return { outcomes: await Promise.all(outcomes), stored: channel.stored };
}

for (const late of [false, true]) {
  const name = late ? 'cuts, refusals and late frames of dead connections' : 'cuts and refusals';
  t.test(`publish / any story of ${name} → each accepted one stored once, in order`, async (t) => {
    const acts = fc.array(act, { minLength: 5, maxLength: 60, size: 'max' });
    const moods = fc.array(mood, { minLength: 1, maxLength: 20 });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(acts, moods, async (acts, moods) => {
        const { outcomes, stored } = await play(acts, moods, late);
        const inOrder = stored.every((data, i) => i === 0 || Number(stored[i - 1]) < Number(data));
        const kept = outcomes.every((how, data) => how !== 'stored' || stored.includes(data));
        accepted += outcomes.filter((how) => how === 'stored').length;
        return inOrder && kept;
      }),
      { numRuns: RUNS },
    );
    t.ok(accepted > RUNS * 5, `${accepted} were accepted`);
  });
}
