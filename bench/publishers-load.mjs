// One who publishes, in a process of its own: quietly, one message at a time, or without end.
import { setTimeout as wait } from 'node:timers/promises';
import { frame, handshakeText, openSocket, until } from './sockets.mjs';

const PROTOCOL = 'earshot.v1.json';
/** The quiet one publishes so often, unless the answer takes longer. */
const EVERY_MS = 5;
const MESSAGE_BYTES = 100;
const BATCH_MESSAGES = 10_000;
/** Written at a time. */
const WRITE_BYTES = 64 * 1024;

const [kind, ownPort] = process.argv.slice(2);
const port = Number(ownPort);
const text = 'x'.repeat(MESSAGE_BYTES);
const posted = postOf(JSON.stringify(text));
const batch = postOf(JSON.stringify(Array(BATCH_MESSAGES).fill(text)));

/** How each one publishes without end: what is sent again and again, and what answers each of them. */
const floods = {
  websocket: () => ({ open: () => upgraded(), sent: publishFrame(1, 'flood'), answer: '"published"' }),
  post: () => ({ open: () => openSocket(port), sent: Buffer.from(posted), answer: 'HTTP/1.1 204' }),
  batch: () => ({ open: () => openSocket(port), sent: Buffer.from(batch), answer: 'HTTP/1.1 204' }),
};

const commands = {
  /** Gives how long each answer took. */
  async quiet({ ms }) {
    const socket = await upgraded();
    const latencies = [];
    const beganAt = performance.now();
    for (let id = 1; performance.now() - beganAt < ms; id++) {
      const sentAt = performance.now();
      const answered = until(socket, (came) => came.includes('"published"'));
      socket.write(publishFrame(id, 'quiet'));
      await answered;
      const tookMs = performance.now() - sentAt;
      latencies.push(tookMs);
      await wait(Math.max(1, EVERY_MS - tookMs));
    }
    socket.destroy();
    return latencies;
  },

  /** Writes for as long as the socket takes it, in the time given. Gives how many were answered in it. */
  async flood({ by, ms }) {
    const { open, sent, answer } = floods[by]();
    const socket = await open();
    let answers = 0;
    let rest = '';
    socket.on('data', (bytes) => {
      const came = rest + bytes.toString('latin1');
      answers += came.split(answer).length - 1;
      rest = came.slice(came.lastIndexOf(answer) + answer.length).slice(1 - answer.length);
    });
    const chunk = Buffer.concat(Array(Math.ceil(WRITE_BYTES / sent.length)).fill(sent));
    const write = () => {
      while (socket.write(chunk));
    };
    socket.on('drain', write);
    write();
    await wait(ms);
    socket.destroy();
    return answers * (by === 'batch' ? BATCH_MESSAGES : 1);
  },
};

function publishFrame(id, channel) {
  return frame(JSON.stringify({ type: 'publish', id, channel, data: text }));
}

function postOf(body) {
  return `POST /v1/stream/flood HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

async function upgraded() {
  const socket = await openSocket(port);
  const isOurs = kind === 'earshot';
  const begun = until(socket, (came) => came.includes(isOurs ? '"welcome"' : '\r\n\r\n'));
  socket.write(isOurs ? handshakeText('/ws', PROTOCOL) : handshakeText('/'));
  await begun;
  return socket;
}

process.on('message', async ({ command, ...options }) => process.send(await commands[command](options)));
process.on('disconnect', () => process.exit());
process.send('ready');
