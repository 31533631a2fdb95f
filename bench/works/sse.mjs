import { sideBySide } from '../harness/sides.mjs';

export const title = 'Server-Sent Events: one message at a time, 1,000 readers';
/** Has the byte that the load counts. */
const DATA = JSON.stringify({ user: 'ann', text: `|${'x'.repeat(102)}` });

export function run(bench) {
  const readers = bench.quick ? 500 : 1000;
  return sideBySide(bench, {
    mode: 'sse',
    data: DATA,
    subject: 'earshot-sse',
    options: { kind: 'm' },
    peers: ['fastify-sse'],
    open: { readers, publishers: 1 },
    window: ({ load, talk }, ms) => load.tell('fan', ms, 1, readers, talk.publish(DATA)),
    targets: [{ than: 'floor', most: 1.6 }],
  });
}
