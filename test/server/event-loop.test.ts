import t from 'tap';
import { EventLoopMonitor } from '../../src/server/report/event-loop.js';

/** Keeps the event loop from turning. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** The window's end, and what it came to. */
async function sampled(monitor: EventLoopMonitor) {
  monitor.sample();
  await new Promise((resolve) => setImmediate(resolve));
  return monitor.delay;
}

t.test('event loop / one long turn in a window → its p99 says so', async (t) => {
  const monitor = new EventLoopMonitor();
  t.teardown(() => monitor.stop());
  block(200);
  const { p99 } = await sampled(monitor);
  t.ok(p99 > 0.15, `${p99} s`);
});

t.test('event loop / every turn is longer than a window → each window says so', async (t) => {
  const monitor = new EventLoopMonitor();
  t.teardown(() => monitor.stop());
  await sampled(monitor);
  for (let turn = 0; turn < 5; turn++) {
    block(150);
    await new Promise((resolve) => setImmediate(resolve));
    const { p99 } = await sampled(monitor);
    t.ok(p99 > 0.1, `${p99} s`);
  }
});

t.test('event loop / nothing measured yet → 0', async (t) => {
  const monitor = new EventLoopMonitor();
  t.teardown(() => monitor.stop());
  t.strictSame(monitor.delay, { p50: 0, p99: 0 });
  t.strictSame((await sampled(monitor)).p50, 0);
});
