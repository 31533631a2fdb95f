import { get, makeChannel } from '../harness/http.mjs';
import { DATA, sideBySide } from '../harness/sides.mjs';
import { CHANNEL, talk } from '../peers/earshot.mjs';

export const title = 'A turn of long-polling, 100 readers; beside a bare route that answers at once';

/** What is published is in the cost of Earshot's turns: one message for a hundred. */
const turns = {
  async earshot({ load, port }, ms) {
    await load.open('p', { kind: 'w', count: 1, port, steps: talk({ mode: 'fan' }).publisher });
    const request = get(`/v1/stream/${CHANNEL}?offset=now&live=long-poll`);
    return load.tell('turn', ms, 20, request, talk({ mode: 'fan' }).publish(DATA));
  },
  'fastify-route': ({ load }, ms) => load.tell('echo', ms, 100, get('/messages')),
};

export const run = (bench) =>
  sideBySide(bench, {
    mode: 'http',
    floor: false,
    peers: ['fastify-route'],
    open: { readers: 0, publishers: 0 },
    prepare: ({ name, port }) => name === 'earshot' && makeChannel(port),
    async window(side, ms) {
      const { name, load, port } = side;
      await load.open('r', { kind: 'h', count: 100, port, steps: [] });
      const seen = await turns[name](side, ms);
      await load.tell('close');
      return seen;
    },
    targets: [],
  });
