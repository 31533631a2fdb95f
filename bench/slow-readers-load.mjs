// The load on two servers of a kind at once, in a process of its own: the same to both, but for readers that stop.
import { once } from 'node:events';
import { frame, handshakeText, openSocket, until } from './sockets.mjs';

const CHANNEL = 'bench';
const PROTOCOL = 'earshot.v1.json';
const MESSAGE_BYTES = 1000;
const TICK_MS = 10;
/** Connections that are being opened at a time. */
const OPENING = 50;
const MARK = '<'.charCodeAt(0);
const DIGITS = 7;

/** How each kind of server is spoken to. */
const kinds = {
  earshot: {
    async publisher(port) {
      const socket = await upgraded(port, '/ws', PROTOCOL);
      const made = until(socket, (text) => text.includes('"published"'));
      socket.write(publishFrame(1, 'the channel is there'));
      await made;
      socket.resume();
      return (texts, first) =>
        socket.write(Buffer.concat(texts.map((data, at) => publishFrame(first + at + 2, data))));
    },
    readers: {
      websocket: subscribed,
      sse: (port) => askedFor(port, `/v1/stream/${CHANNEL}?offset=now&live=sse`, '"upToDate":true'),
    },
  },
  ws: {
    async publisher(port) {
      const socket = await upgraded(port, '/');
      socket.resume();
      return (texts) => socket.write(Buffer.concat(texts.map(frame)));
    },
    readers: { websocket: (port) => upgraded(port, '/') },
  },
  sse: {
    async publisher(port) {
      const socket = await openSocket(port);
      socket.resume();
      return (texts) => socket.write(texts.map(postOf).join(''));
    },
    readers: { sse: (port) => askedFor(port, '/events', ': begun') },
  },
};

/** One of the two servers, and all that is connected to it. */
class Side {
  sentAt = [];
  others = [];
  stalled = [];
  latencies = [];
  closed = 0;

  constructor(kind, port) {
    this.kind = kind;
    this.port = port;
  }

  async begin() {
    this.publish = await this.kind.publisher(this.port);
  }

  async open(technique, count) {
    const opened = [];
    for (let at = 0; at < count; at += OPENING) {
      const batch = Array.from({ length: Math.min(OPENING, count - at) }, () =>
        this.kind.readers[technique](this.port),
      );
      for (const socket of await Promise.all(batch)) opened.push(this.#reader(socket));
    }
    return opened;
  }

  #reader(socket) {
    const reader = {
      socket,
      next: this.sentAt.length,
      missed: 0,
      rest: Buffer.alloc(0),
      got: 0,
      timed: false,
    };
    socket.on('data', (bytes) => this.#hear(reader, bytes));
    socket.on('close', () => {
      if (!reader.done) this.closed++;
    });
    return reader;
  }

  /** Looks for the numbers of messages only. One that is missing, doubled or out of order is counted. */
  #hear(reader, chunk) {
    const bytes = reader.rest.length === 0 ? chunk : Buffer.concat([reader.rest, chunk]);
    let at = 0;
    for (;;) {
      const mark = bytes.indexOf(MARK, at);
      if (mark === -1) at = bytes.length;
      if (mark === -1 || mark + 1 + DIGITS > bytes.length) break;
      const index = Number(bytes.latin1Slice(mark + 1, mark + 1 + DIGITS));
      if (index !== reader.next) reader.missed++;
      reader.next = index + 1;
      reader.got++;
      if (reader.timed) this.latencies.push(performance.now() - this.sentAt[index]);
      at = mark + 1 + DIGITS;
    }
    const mark = bytes.indexOf(MARK, at);
    reader.rest = mark === -1 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(mark));
    if (reader.next >= this.sentAt.length) reader.onTail?.();
  }

  /** Until all these have what was published last. */
  async caughtUp(readers) {
    await Promise.all(
      readers.map(async (reader) => {
        while (reader.next < this.sentAt.length)
          await new Promise((resolve) => {
            reader.onTail = resolve;
          });
      }),
    );
  }

  send(count) {
    const first = this.sentAt.length;
    const texts = Array.from({ length: count }, (_, at) => textOf(first + at));
    const now = performance.now();
    for (let at = 0; at < count; at++) this.sentAt.push(now);
    this.publish(texts, first);
  }
}

let sides = [];
/** The publishing under way is to end before its time. */
let stopped = false;

const commands = {
  /** `others`: how many of each technique read all the time, on either side. */
  async begin({ kind, ports, others }) {
    sides = ports.map((port) => new Side(kinds[kind], port));
    for (const side of sides) {
      await side.begin();
      for (const [technique, count] of Object.entries(others))
        side.others.push(...(await side.open(technique, count)));
    }
  },

  /** Opens readers on the second side, which then read no more. */
  async stall({ technique, count }) {
    const [, side] = sides;
    const opened = await side.open(technique, count);
    for (const { socket } of opened) socket.pause();
    side.stalled.push(...opened);
  },

  /** Publishes to both sides at one rate. Gives the p99 of the latency of the others, by window and side. */
  async publish({ perSecond, windowMs, windows }) {
    const found = [];
    stopped = false;
    for (const { others } of sides) for (const reader of others) reader.timed = true;
    const beganAt = performance.now();
    let sent = 0;
    for (let window = 1; window <= windows && !stopped; window++) {
      for (const side of sides) side.latencies = [];
      for (let tick = 0; performance.now() - beganAt < window * windowMs && !stopped; tick++) {
        const due = Math.floor(((performance.now() - beganAt) / 1000) * perSecond) - sent;
        if (due > 0) for (const side of tick % 2 === 0 ? sides : sides.toReversed()) side.send(due);
        sent += Math.max(0, due);
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
      found.push(sides.map(({ latencies }) => percentile(latencies, 0.99)));
    }
    if (!stopped) for (const side of sides) await side.caughtUp(side.others);
    for (const { others } of sides) for (const reader of others) reader.timed = false;
    return { p99s: found, published: sent };
  },

  /** The first so many of those that stopped read on, to the last message; then one more comes, to everybody. */
  async readOn({ count }) {
    const [, side] = sides;
    const readOn = side.stalled.slice(0, count);
    for (const reader of side.stalled.slice(count)) await end(reader);
    const beganAt = performance.now();
    for (const { socket } of readOn) socket.resume();
    await side.caughtUp(readOn);
    const readMs = performance.now() - beganAt;
    side.send(1);
    await side.caughtUp([...readOn, ...side.others]);
    const all = [...readOn, ...side.others];
    return {
      readMs,
      got: readOn.reduce((sum, { got }) => sum + got, 0),
      missed: all.reduce((sum, { missed }) => sum + missed, 0),
      closed: side.closed,
    };
  },
};

function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

async function end(reader) {
  reader.done = true;
  const closed = once(reader.socket, 'close');
  reader.socket.destroy();
  await closed;
}

function textOf(index) {
  return `<${String(index).padStart(DIGITS, '0')}>`.padEnd(MESSAGE_BYTES, 'x');
}

function postOf(text) {
  return `POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}

async function upgraded(port, path, protocol) {
  const socket = await openSocket(port);
  const open = until(socket, (text) => text.includes('\r\n\r\n'));
  socket.write(handshakeText(path, protocol));
  await open;
  return socket;
}

async function subscribed(port) {
  const socket = await upgraded(port, '/ws', PROTOCOL);
  const answered = until(socket, (text) => text.includes('"subscribed"'));
  socket.write(frame(JSON.stringify({ type: 'subscribe', id: 1, channel: CHANNEL })));
  await answered;
  return socket;
}

function publishFrame(id, data) {
  return frame(JSON.stringify({ type: 'publish', id, channel: CHANNEL, data }));
}

async function askedFor(port, path, word) {
  const socket = await openSocket(port);
  const began = until(socket, (text) => text.includes(word));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  await began;
  return socket;
}

process.on('message', async ({ command, ...options }) => {
  if (command === 'stop') stopped = true;
  else process.send((await commands[command](options)) ?? 'done');
});
process.on('disconnect', () => process.exit());
process.send('ready');
