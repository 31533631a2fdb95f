import { get, makeChannel, post } from '../harness/http.mjs';
import { DATA, sideBySide } from '../harness/sides.mjs';
import { CHANNEL, talk } from '../peers/earshot.mjs';

export const title =
  'A turn of long-polling, 100 readers: a message answers all of them, then they ask again';

/** For everybody to have asked again, before the next message comes. */
const GAP_MS = 50;

/** What is published is in the cost of the turns: one message for a hundred. */
const turns = {
  async earshot({ load, port }, ms) {
    await load.open('p', { kind: 'w', count: 1, port, steps: talk({ mode: 'fan' }).publisher });
    const request = get(`/v1/stream/${CHANNEL}?offset=now&live=long-poll`);
    return load.tell('turn', ms, GAP_MS, request, talk({ mode: 'fan' }).publish(DATA));
  },
  async 'fastify-long-poll'({ load, port }, ms) {
    await load.open('p', { kind: 'h', count: 1, port, steps: [] });
    return load.tell('turn', ms, GAP_MS, get('/messages'), post('/publish', DATA));
  },
  'fastify-route': ({ load }, ms) => load.tell('echo', ms, 100, get('/messages')),
};

export const run = (bench) =>
  sideBySide(bench, {
    mode: 'http',
    floor: false,
    peers: ['fastify-long-poll', 'fastify-route'],
    open: { readers: 0, publishers: 0 },
    prepare: ({ name, port }) => name === 'earshot' && makeChannel(port),
    async window(side, ms) {
      const { name, load, port } = side;
      await load.open('r', { kind: 'h', count: 100, port, steps: [] });
      const seen = await turns[name](side, ms);
      await load.tell('close');
      return seen;
    },
    targets: [{ than: 'fastify-long-poll', most: 1.3 }],
  });
