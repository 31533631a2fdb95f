// The floor: a program in C that sends the same bytes to the same sockets.
import { spawn } from 'node:child_process';
import { whenOpen } from '../processes.mjs';

export const title = 'floor: C, one send() a reader';

/** `bytes` are what it sends for each message. */
export async function start({ programs, bytes }) {
  const child = spawn(programs.floor, [bytes.toString('hex')], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { server: child, port: await whenOpen(child) };
}

const line = (letter, number = '00000') => `${letter}${number}\n`;
export const talk = ({ mode, kind = 'w', subscriptions = 1 }) => {
  const number = mode === 'channels' ? '#####' : '00000';
  const subscribe = [line('S', number), 'ok'];
  return {
    kind,
    reader: [[line('R'), '\r\n\r\n'], ...Array(subscriptions).fill(subscribe)],
    publisher: [[line('R'), '\r\n\r\n']],
    publish: () => Buffer.from(line('P', number)),
  };
};
