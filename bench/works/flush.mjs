import { DATA, sideBySide } from '../harness/sides.mjs';

export const title =
  'A busy channel: 1,000 messages a second to 100 readers, sent at once or gathered (flushMs)';
const READERS = 100;
const PER_SECOND = 1000;
const GATHERED = ['earshot/5', 'earshot/20'];
const ACTIONS = ['subscribe', 'publish', 'history', 'presence'];

const gathering = (flushMs) => ({
  title: `Earshot, flushMs ${flushMs}`,
  env: { EARSHOT_CHANNELS: JSON.stringify({ 'bench/**': { anonymous: ACTIONS, flushMs } }) },
});

export const run = (bench) =>
  sideBySide(bench, {
    mode: 'fan',
    peers: [...GATHERED, 'ws'],
    optionsOf: (name) => (GATHERED.includes(name) ? gathering(Number(name.split('/')[1])) : {}),
    open: { readers: READERS, publishers: 1 },
    turns: bench.quick ? { rounds: 2, windowMs: 300 } : { rounds: 5, windowMs: 1000 },
    window: ({ load, talk }, ms) => load.tell('rate', ms, PER_SECOND, READERS, talk.publish(DATA)),
    targets: [],
  });
