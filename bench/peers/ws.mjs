// ws, naive: what one writes in an evening, `clients.forEach((client) => client.send(`${name} -> ${data}`))`.
import { startServer } from '../processes.mjs';
import { frame, handshakeText } from '../sockets.mjs';

export const title = 'ws, naive';
const KINDS = { fan: 'lobby', echo: 'echo' };

export function start({ mode }) {
  return startServer('naive.mjs', [KINDS[mode]], { env: { WS_NO_BUFFER_UTIL: '1' } });
}

const steps = [[handshakeText('/'), '\r\n\r\n']];
export const talk = () => ({ kind: 'w', reader: steps, publisher: steps, publish: frame });
