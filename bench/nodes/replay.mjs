// What a node says to its Redis, said again by many: Redis is kept busy by connections that cost next to nothing.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { openSocket, until } from '../sockets.mjs';

const MARKER = 'that was all of it';

/**
 * The longest command of a kind that Redis is given while `work` lasts, as its words; texts are latin1, a character for each
 * byte.
 */
export async function overheard(port, kind, work) {
  const socket = await openSocket(port);
  let text = '';
  const begun = until(socket, (came) => came.startsWith('+OK'));
  socket.write('MONITOR\r\n');
  await begun;
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  await work();
  const other = await openSocket(port);
  other.write(`ECHO "${MARKER}"\r\n`);
  while (!text.includes(MARKER)) await once(socket, 'data');
  for (const each of [socket, other]) each.destroy();
  const said = text.split('\r\n').map(wordsOf);
  const found = said.filter(([command]) => command?.toLowerCase() === kind);
  return found.reduce((longest, each) => (each.length > longest.length ? each : longest), []);
}

/** A line of MONITOR: `+<time> [<db> <address>] "word" …`, what can't be printed as \xHH. */
function wordsOf(line) {
  const said = line.slice(line.indexOf('] ') + 2);
  const escapes = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };
  return [...said.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, word]) =>
    word.replace(/\\(?:x([0-9a-f]{2})|(.))/gs, (_, hex, sign) =>
      hex === undefined ? (escapes[sign] ?? sign) : String.fromCharCode(Number.parseInt(hex, 16)),
    ),
  );
}

/** As it goes to Redis; `00000` in it becomes the number. */
export function commandOf(words, number = 0) {
  const digits = String(number).padStart(5, '0');
  const told = words.map((word) => word.replaceAll('00000', digits));
  return Buffer.from(
    `*${told.length}\r\n${told.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
    'latin1',
  );
}

/**
 * Commands from some connections, each with so many under way, for so long: how many, and what of its core Redis has used.
 * `nextOf()` gives the next command.
 */
export async function replayed({ port, pid }, { connections, together, ms, nextOf }) {
  const sockets = await Promise.all(Array.from({ length: connections }, () => openSocket(port)));
  let count = 0;
  const [beganMs, usedNs] = [performance.now(), usedBy(pid)];
  await Promise.all(
    sockets.map(async (socket) => {
      while (performance.now() < beganMs + ms) {
        const commands = Array.from({ length: together }, nextOf);
        const answered = answersOf(socket);
        socket.write(Buffer.concat([...commands, Buffer.from(`ECHO "${MARKER}"\r\n`)]));
        await answered;
        count += together;
      }
    }),
  );
  const [cpuUs, wallUs] = [(usedBy(pid) - usedNs) / 1000, (performance.now() - beganMs) * 1000];
  for (const socket of sockets) socket.destroy();
  return { count, cpuUs: cpuUs / count, perSecond: (count / wallUs) * 1e6, share: cpuUs / wallUs };
}

/** All up to the marker; an error among them ends the measurement. */
async function answersOf(socket) {
  const text = await until(socket, (came) => came.endsWith(`${MARKER}\r\n`));
  const [fault] = /^-.*$/m.exec(text) ?? [];
  if (fault !== undefined) throw new Error(`Redis: ${fault}`);
}

/** ns of CPU, of its main thread. */
export function usedBy(pid) {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
}

/** Connections that hear a topic, and count what comes. */
export async function hearing(port, topic, count) {
  const heard = { bytes: 0 };
  const sockets = [];
  for (let at = 0; at < count; at++) {
    const socket = await openSocket(port);
    const begun = until(socket, (came) => came.includes('ssubscribe'));
    socket.write(commandOf(['SSUBSCRIBE', topic]));
    await begun;
    socket.on('data', ({ length }) => {
      heard.bytes += length;
    });
    sockets.push(socket);
  }
  return { heard, stop: () => sockets.map((socket) => socket.destroy()) };
}
