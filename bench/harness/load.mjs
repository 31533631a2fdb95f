// The load where there is no compiler: what native/load.c is told, it is told too. It sleeps, and is slower.
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { openSocket, until } from '../sockets.mjs';
import { taker } from './take.mjs';

const OPENING = 100;
let [readers, publishers] = [[], []];
let modulus = 1;
let published = 0;
let delivered = 0;
let wanted = Number.POSITIVE_INFINITY;
let reached = () => {};
let heard = () => {};

const commands = {
  server: async () => ({}),
  async modulus([count]) {
    modulus = Number(count);
    return {};
  },
  async open([group, kind, count, port, ...steps]) {
    const all = group === 'r' ? readers : publishers;
    for (let left = Number(count); left > 0; left -= OPENING) {
      const batch = Array.from({ length: Math.min(left, OPENING) }, (_, at) =>
        opened({ kind, port, steps, index: all.length + at, counts: group === 'r' }),
      );
      all.push(...(await Promise.all(batch)));
    }
    return { deliveries: Number(count) };
  },
  async fan([ms, burst, per, hex]) {
    const message = Buffer.from(hex, 'hex');
    return measured(Number(ms), async () => {
      sendBurst(Number(burst), message);
      await came(burst * per);
    });
  },
  async rate([ms, perSecond, per, hex]) {
    const [messages, message, sentMs, late] = [
      Math.floor((ms * perSecond) / 1000),
      Buffer.from(hex, 'hex'),
      [],
      [],
    ];
    for (const reader of readers) reader.count = 0;
    heard = (reader, count) => {
      for (; count > 0; count--) late.push(performance.now() - sentMs[reader.count - count]);
    };
    const seen = await measured(0, async (beganMs) => {
      const all = came(messages * per);
      for (let sent = 0; sent < messages; sent++) {
        await wait(Math.max(0, beganMs + (sent * 1000) / perSecond - performance.now()));
        sentMs.push(performance.now());
        sendBurst(1, message);
      }
      await all;
    });
    heard = () => {};
    return { ...seen, ...latenessOf(late) };
  },
  async echo([ms, connections, hex]) {
    const [message, late] = [Buffer.from(hex, 'hex'), []];
    const beganMs = performance.now();
    let waiting = 0;
    const send = (reader) => {
      waiting++;
      reader.sinceMs = performance.now();
      reader.socket.write(numbered(message, published++));
    };
    delivered = 0;
    const done = new Promise((resolve) => {
      heard = (reader) => {
        late.push(performance.now() - reader.sinceMs);
        waiting--;
        if (performance.now() < beganMs + Number(ms)) send(reader);
        else if (waiting === 0) resolve();
      };
    });
    for (const reader of readers.slice(0, Number(connections))) send(reader);
    await done;
    heard = () => {};
    return { deliveries: delivered, wallNs: (performance.now() - beganMs) * 1e6, ...latenessOf(late) };
  },
  async storm([ms, connections, port, ...steps]) {
    let connected = 0;
    const one = async () => {
      const { socket } = await opened({ kind: 'm', port, steps, index: connected, counts: false });
      socket.destroy();
      connected++;
    };
    const seen = await measured(Number(ms), () =>
      Promise.all(Array.from({ length: Number(connections) }, one)),
    );
    return { ...seen, deliveries: connected };
  },
  async read([count, hex]) {
    return measured(0, async () => {
      const all = came(Number(count));
      readers[0].socket.write(Buffer.from(hex, 'hex'));
      await all;
    });
  },
  async turn([ms, gapMs, request, hex]) {
    return measured(Number(ms), async () => {
      for (const { socket } of readers) socket.write(Buffer.from(request, 'hex'));
      await wait(Number(gapMs));
      sendBurst(1, Buffer.from(hex, 'hex'));
      await came(readers.length);
    });
  },
  async close() {
    for (const { socket } of [...readers, ...publishers]) socket.destroy();
    [readers, publishers] = [[], []];
    return {};
  },
};

async function opened({ kind, port, steps, index, counts }) {
  const socket = await openSocket(Number(port));
  const connection = { socket, count: 0, counts: false };
  const take = taker(kind, socket);
  socket.on('data', (bytes) => {
    const count = take(bytes);
    if (!connection.counts || count === 0) return;
    connection.count += count;
    delivered += count;
    heard(connection, count);
    if (delivered >= wanted) reached();
  });
  for (let step = 0; step < steps.length; step += 2) {
    const end = steps[step + 1] === '-' ? '' : Buffer.from(steps[step + 1], 'hex').toString('latin1');
    const told = end === '' ? undefined : until(socket, (text) => text.includes(end));
    socket.write(numbered(Buffer.from(steps[step], 'hex'), index + (step / 2) * 997));
    await told;
  }
  return Object.assign(connection, { counts });
}

/** Runs it again and again for so long, once at least. */
async function measured(ms, work) {
  const [beganMs, first] = [performance.now(), published];
  let sum = 0;
  do {
    delivered = 0;
    await work(beganMs);
    sum += delivered;
  } while (performance.now() < beganMs + ms);
  return { deliveries: sum, messages: published - first, wallNs: (performance.now() - beganMs) * 1e6 };
}

function came(count) {
  wanted = Number(count);
  return new Promise((resolve) => {
    reached = () => {
      wanted = Number.POSITIVE_INFINITY;
      resolve();
    };
  });
}

function sendBurst(burst, message) {
  const writes = new Map();
  for (let at = 0; at < burst; at++) {
    const { socket } = publishers[at % Math.min(burst, publishers.length)];
    writes.set(socket, [...(writes.get(socket) ?? []), numbered(message, published++ * 7919)]);
  }
  for (const [socket, messages] of writes) socket.write(Buffer.concat(messages));
}

function numbered(bytes, number) {
  const place = bytes.indexOf('#####');
  if (place === -1) return bytes;
  const copy = Buffer.from(bytes);
  copy.write(String(number % modulus).padStart(5, '0'), place, 'latin1');
  return copy;
}

function latenessOf(late) {
  const sorted = late.toSorted((a, b) => a - b);
  const at = (share) => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 1000);
  return { p50Us: at(0.5), p99Us: at(0.99) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = line.split(' ');
  console.log(JSON.stringify(await commands[command](words)));
}
process.exit(); // its sockets are nobody's any more
