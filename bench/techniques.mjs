// What a message costs by each technique, on one channel. See README.md beside this file.
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { ask, deadline, quartiles, settledRss, startLoad, startServer, stop, table } from './processes.mjs';

const TECHNIQUES = ['polling', 'long-polling', 'sse', 'websocket'];
/** Nobody reads: what publishing costs by itself, which is taken off. */
const NOBODY = 'nobody';
const LOADS = {
  steady: { count: 1, everyMs: 100 },
  bursts: { count: 10, everyMs: 500 },
};
const READERS = 200;
const WAITING = 2000;
const ROUNDS = 3;
const WINDOW_MS = 1000;
/** Until a load is as it stays: one interval of those that poll. */
const SETTLE_MS = { polling: 1100 };
const SETTLE_ELSE_MS = 300;
/** After this, something hangs. */
const DEADLINE_MS = 240_000;

const givenUp = deadline(DEADLINE_MS);
const measured = await measure();
const memory = await measureMemory();
clearTimeout(givenUp);
console.log(report(measured, memory));

/** Every technique under every load, one after the other, round by round. The first round only warms up. */
async function measure() {
  const found = [];
  const { server, readers, stop } = await start();
  for (let round = 0; round <= ROUNDS; round++) {
    const windowMs = round === 0 ? WINDOW_MS / 2 : WINDOW_MS;
    for (const technique of [NOBODY, ...TECHNIQUES]) {
      if (technique !== NOBODY) await ask(readers, { command: 'open', technique, count: READERS });
      for (const [load, rate] of Object.entries(LOADS)) {
        await ask(readers, { command: 'publish', ...rate });
        await wait(SETTLE_MS[technique] ?? SETTLE_ELSE_MS);
        const window = await measureWindow(server, readers, windowMs);
        await ask(readers, { command: 'pause' });
        if (round > 0) found.push({ round, technique, load, ...window });
      }
      await ask(readers, { command: 'close' });
    }
  }
  await stop();
  return found;
}

async function measureWindow(server, readers, windowMs) {
  const { cpuUs } = await ask(server, 'cpu');
  await ask(readers, { command: 'begin' });
  await wait(windowMs);
  const window = await ask(readers, { command: 'end' });
  const after = await ask(server, 'cpu');
  return { ...window, cpuUs: after.cpuUs - cpuUs };
}

/** Memory of a server for each of those that wait: a server of its own for each technique. */
async function measureMemory() {
  const found = { polling: 0 }; // between two requests there is nobody
  for (const technique of TECHNIQUES.slice(1)) {
    const { server, readers, stop } = await start();
    await ask(readers, { command: 'open', technique, count: WAITING });
    await ask(readers, { command: 'close' }); // what the first ones cost is no reader's
    const before = await settledRss(server);
    await ask(readers, { command: 'open', technique, count: WAITING });
    found[technique] = ((await settledRss(server)) - before) / WAITING;
    await stop();
  }
  return found;
}

/** The built server and the load, each a process. */
async function start() {
  const { server, port } = await startServer('../dist/cli.js', [
    'serve',
    '--dev',
    '--port',
    '0',
    '--log-level',
    'warn',
  ]);
  const readers = await startLoad('readers.mjs', [String(port)]);
  return { server, readers, stop: () => stop(readers, server) };
}

function report(windows, memory) {
  const of = (technique, load, value) =>
    quartiles(
      windows.filter((each) => each.technique === technique && each.load === load).map((each) => value(each)),
    );
  const publishing = (load) => of(NOBODY, load, ({ cpuUs, published }) => cpuUs / published).median;
  const nth = (windows, { round, load }) =>
    windows.find((each) => each.technique === 'websocket' && each.round === round && each.load === load);
  const cpu = (each) => (each.cpuUs - publishing(each.load) * each.published) / each.messages;
  const rows = Object.keys(LOADS).flatMap((load) => [
    [
      `CPU of the server a message, ${load} (WebSocket = 1)`,
      (each) => cpu(each) / cpu(nth(windows, each)),
      load,
    ],
    [`bytes on the wire a message, ${load}`, ({ bytes, messages }) => bytes / messages, load],
    [`requests a message, ${load}`, ({ requests, messages }) => requests / messages, load],
    [`latency, median, ms, ${load}`, ({ latencyMs }) => latencyMs, load],
  ]);
  const lines = rows.map(([name, value, load]) => [
    name,
    ...TECHNIQUES.map((technique) => text(of(technique, load, value))),
  ]);
  lines.push([
    'memory of the server a waiting reader, KiB',
    ...TECHNIQUES.map((each) => short(memory[each] / 1024)),
  ]);
  const heads = ['', ...TECHNIQUES];
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`;
  const how = `${READERS} readers, messages of 100 bytes, ${ROUNDS} rounds: median (quartiles). ${WAITING} wait for the memory.`;
  return `${table(heads, lines)}\n\n${how}\n${machine}`;
}

function text({ low, median, high }) {
  return low === high ? short(median) : `${short(median)} (${short(low)}–${short(high)})`;
}

function short(value) {
  if (value === 0) return '0';
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}
