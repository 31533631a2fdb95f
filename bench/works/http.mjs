import { makeChannel, post } from '../harness/http.mjs';
import { DATA, sideBySide } from '../harness/sides.mjs';
import { CHANNEL } from '../peers/earshot.mjs';

export const title = 'Publish over HTTP, 100 connections with one in flight each';

const requests = { earshot: post(`/v1/stream/${CHANNEL}`, DATA), 'fastify-route': post('/publish', DATA) };

/** The connections of a window are its own: some servers end those that wait. */
export const run = (bench) =>
  sideBySide(bench, {
    mode: 'http',
    floor: false,
    peers: ['fastify-route'],
    open: { readers: 0, publishers: 0 },
    prepare: ({ name, port }) => name === 'earshot' && makeChannel(port),
    async window({ name, load, port }, ms) {
      await load.open('r', { kind: 'h', count: 100, port, steps: [] });
      const seen = await load.tell('echo', ms, 100, requests[name]);
      await load.tell('close');
      return seen;
    },
    targets: [{ than: 'fastify-route', most: 1.3 }],
  });
