import { startChild } from './child.js';

// A process that starts a child and never ends it.

const child = await startChild({ teardown: () => {} }, process.execPath, [
  '-e',
  'setInterval(() => {}, 1000)',
]);
process.send?.(child.pid);
