// The load, in a process of its own: readers of one channel on raw sockets of the loopback, and one publisher.
import { once } from 'node:events';
import { frame, handshakeText, openSocket, until } from './sockets.mjs';

const CHANNEL = 'bench';
const MESSAGE_BYTES = 100;
const POLL_EVERY_MS = 1000;
/** Connections that are being opened at a time. */
const OPENING = 100;
const HANDSHAKE = handshakeText('/ws', 'earshot.v1.json');

const [port] = process.argv.slice(2).map(Number);
const publisher = await openSocket(port);
/** When each message was sent. */
const sentAt = [];
/** Of this window: what came, and how late. */
let counted = { messages: 0, requests: 0, latencies: [] };
let readers = [];
let publishing;

/** One reader: its socket, and the message that it must get next. */
class Reader {
  socket;
  next = sentAt.length;
  #rest = '';

  /** Counts the messages in what came. One that is missing, doubled or out of order ends the measurement. */
  hear(bytes) {
    const text = this.#rest + bytes.toString('latin1');
    let end = 0;
    for (const found of text.matchAll(/<(\d{6})>/g)) {
      if (Number(found[1]) !== this.next) throw new Error(`${found[1]} came where ${this.next} was next`);
      counted.latencies.push(performance.now() - sentAt[this.next++]);
      counted.messages++;
      end = found.index + found[0].length;
    }
    this.#rest = text.slice(Math.max(end, text.length - 7));
  }
}

const techniques = {
  /** Asks once a second, each at its own moment. */
  async polling(reader, at, count) {
    let offset = 'now';
    const ask = async () => {
      offset = (await get(reader, `?offset=${offset}`)).offset;
    };
    await ask();
    reader.timer = setTimeout(
      () => {
        const poll = async () => {
          reader.timer = setTimeout(poll, POLL_EVERY_MS);
          await ask();
        };
        void poll();
      },
      (POLL_EVERY_MS * at) / count,
    );
  },

  async 'long-polling'(reader) {
    let { offset } = await get(reader, '?offset=now');
    const follow = async () => {
      while (!reader.socket.destroyed) ({ offset } = await get(reader, `?offset=${offset}&live=long-poll`));
    };
    void follow();
  },

  async sse(reader) {
    const began = until(reader.socket, (text) => text.includes('"upToDate":true'));
    reader.socket.write(requestFor('?offset=now&live=sse'));
    await began;
    reader.socket.on('data', (bytes) => reader.hear(bytes));
  },

  async websocket(reader) {
    await handshake(reader);
    const subscribed = until(reader.socket, (text) => text.includes('"subscribed"'));
    reader.socket.write(frame(JSON.stringify({ type: 'subscribe', id: 1, channel: CHANNEL })));
    await subscribed;
    reader.socket.on('data', (bytes) => reader.hear(bytes));
  },
};

const commands = {
  async open({ technique, count }) {
    for (let at = 0; at < count; at += OPENING) {
      const batch = Array.from({ length: Math.min(OPENING, count - at) }, async (_, index) => {
        const reader = new Reader();
        reader.socket = await openSocket(port);
        await techniques[technique](reader, at + index, count);
        readers.push(reader);
      });
      await Promise.all(batch);
    }
  },

  /** Publishes so many at once, so often. */
  async publish({ count, everyMs }) {
    publishing = setInterval(() => {
      const frames = Array.from({ length: count }, () => {
        const data = `<${String(sentAt.length).padStart(6, '0')}>`.padEnd(MESSAGE_BYTES - 2, 'x');
        sentAt.push(performance.now());
        return frame(JSON.stringify({ type: 'publish', id: sentAt.length, channel: CHANNEL, data }));
      });
      publisher.write(Buffer.concat(frames));
    }, everyMs);
  },

  async pause() {
    clearInterval(publishing);
  },

  async begin() {
    counted = { messages: 0, requests: 0, latencies: [], bytes: bytesRead(), published: sentAt.length };
  },

  async end() {
    const { messages, requests, latencies, bytes, published } = counted;
    latencies.sort((a, b) => a - b);
    return {
      messages,
      requests,
      bytes: bytesRead() - bytes,
      published: sentAt.length - published,
      latencyMs: latencies[Math.floor(latencies.length / 2)] ?? 0,
    };
  },

  /** Stops publishing, and ends all readers. */
  async close() {
    clearInterval(publishing);
    const ended = readers.map((reader) => {
      clearTimeout(reader.timer);
      const closed = once(reader.socket, 'close');
      reader.socket.destroy();
      return closed;
    });
    readers = [];
    await Promise.all(ended);
  },
};

function bytesRead() {
  return readers.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
}

async function handshake(reader) {
  const welcomed = until(reader.socket, (text) => text.includes('"welcome"'));
  reader.socket.write(HANDSHAKE);
  await welcomed;
}

function requestFor(query) {
  return `GET /v1/stream/${CHANNEL}${query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
}

/** One request and its whole answer. Does not resolve where the reader is ended before. */
async function get(reader, query) {
  counted.requests++;
  let head;
  let bytes = Buffer.alloc(0);
  const came = until(reader.socket, () => {
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1) return false;
    head = bytes.toString('latin1', 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    return bytes.length >= end + 4 + length;
  });
  const gather = (more) => {
    bytes = Buffer.concat([bytes, more]);
  };
  reader.socket.prependListener('data', gather);
  reader.socket.write(requestFor(query));
  await came;
  reader.socket.off('data', gather);
  if (!/^HTTP\/1\.1 20[04] /.test(head)) throw new Error(`answered: ${head}`);
  reader.hear(bytes.subarray(head.length));
  return { offset: /\r\nstream-next-offset: (\S+)/i.exec(head)[1] };
}

publisher.resume();
await handshake({ socket: publisher });
const made = until(publisher, (text) => text.includes('"published"'));
publisher.write(
  frame(JSON.stringify({ type: 'publish', id: 1, channel: CHANNEL, data: 'the channel is there' })),
);
await made;
process.on('message', async ({ command, ...options }) =>
  process.send((await commands[command](options)) ?? 'done'),
);
process.on('disconnect', () => process.exit());
process.send('ready');
