import { makeChannel } from '../harness/http.mjs';
import { dataOf, sideBySide } from '../harness/sides.mjs';
import { CHANNEL } from '../peers/earshot.mjs';
import { ask, settledRss } from '../processes.mjs';
import { frame } from '../sockets.mjs';

export const title = 'Reading the log: 100,000 messages of 256 bytes to one reader over WebSocket';
const DATA = dataOf(256);
const AT_ONCE = 5000;
const EACH = 'node-socket/each';

export async function run(bench) {
  const messages = bench.quick ? 20_000 : 100_000;
  const memory = {};
  const all = frame(JSON.stringify({ type: 'subscribe', id: 2, channel: CHANNEL, offset: '-1' }));
  const found = await sideBySide(bench, {
    mode: 'echo', // readers that have subscribed to nothing yet
    data: DATA,
    peers: [EACH, 'node-socket'],
    optionsOf: (name) => (name === EACH ? { how: 'each', title: "Node's net, a bare write a message" } : {}),
    options: { flags: ['--retention-messages', '1000000', '--retention-bytes', '1000000000'] },
    open: { readers: 0, publishers: 0 },
    turns: { rounds: bench.quick ? 2 : 5 },
    prepare: ({ name, port }) => name === 'earshot' && fill(port, messages),
    async window({ name, load, port, talk, server }) {
      await load.open('r', { kind: 'w', count: 1, port, steps: talk.reader });
      // With what was there before and the answer to the subscribe, which is a frame too.
      const isBare = name !== 'earshot'; // what is asked for is a line there, and no log
      const before = isBare ? 0 : await settledRss(server);
      const seen = await (isBare
        ? load.tell('read', messages, Buffer.from(`L${String(messages / 1000).padStart(5, '0')}\n`))
        : load.tell('read', messages + 1, all));
      if (!isBare) {
        const { rss } = await ask(server, 'cpu');
        memory.grownMiB = Math.max(memory.grownMiB ?? 0, (rss - before) / 2 ** 20);
      }
      await load.tell('close');
      return seen;
    },
    targets: [{ than: EACH, most: 2 }],
  });
  const note = `Just after a reading, garbage and all, the server was at most ${memory.grownMiB.toFixed(1)} MiB larger than before it.`;
  return { ...found, memory, notes: [note] };
}

/** As arrays of JSON, of which each item is a message. */
async function fill(port, messages) {
  const channel = await makeChannel(port);
  const body = `[${Array(AT_ONCE).fill(DATA).join(',')}]`;
  for (let done = 0; done < messages; done += AT_ONCE) {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/stream/${channel}`, {
      method: 'POST',
      headers,
      body,
    });
    if (!answer.ok) throw new Error(`the log could not be filled: ${answer.status} ${await answer.text()}`);
  }
}
