// `npm run bench`: Earshot and its peers on the same works, side by side. See README.md beside this file.
import { measureWorks } from './harness/command.mjs';
import { RAISED } from './peers/earshot.mjs';

/** In which they are shown. */
const order = [
  'single',
  'bursts',
  'bursts-of-many',
  'channels',
  'answers',
  'http',
  'rate',
  'flush',
  'idle',
  'storm',
  'sse',
  'long-poll',
  'stores',
  'log',
  'flat',
  'workers',
];

await measureWorks({
  folder: new URL('works/', import.meta.url),
  order,
  out: 'results.json',
  heading: () =>
    `Earshot's defaults, but for ${RAISED.join(' ')}: one publisher says here what many users would.`,
});
