// Earshot as it is served: the whole product, on the built command line.
import { startServer } from '../processes.mjs';
import { frame, handshakeText } from '../sockets.mjs';

export const title = 'Earshot';
/** One publisher says here what many users would: the defaults are 100 a second, and bursts of 200. */
export const RAISED = ['--limits-commands-per-second', '1000000', '--limits-command-burst', '1000000'];
export const CHANNEL = 'bench/00000';

export function start({ store = ['--store', 'memory'], flags = [], env = {}, execArgv = [] }) {
  const args = ['serve', '--dev', '--port', '0', '--log-level', 'warn', ...store, ...RAISED, ...flags];
  return startServer('../dist/cli.js', args, { env, execArgv });
}

const command = (envelope) => frame(JSON.stringify(envelope));
const greetWith = (headers) => [handshakeText('/ws', 'earshot.v1.json', headers), '"welcome"'];
const MANY = { channels: 'bench/#####', crowd: 'crowd/#####' };
export const channelOf = (mode) => MANY[mode] ?? CHANNEL;

export const talk = ({ mode, subscriptions = 1, headers = [] }) => {
  const greet = greetWith(headers);
  const channel = channelOf(mode);
  const subscribe = [command({ type: 'subscribe', id: 1, channel }), '"subscribed"'];
  return {
    kind: 'w',
    reader: [greet, ...Array(mode === 'echo' ? 0 : subscriptions).fill(subscribe)],
    publisher: [greet],
    publish: (data) => frame(`{"type":"publish","id":2,"channel":"${channel}","data":${data}}`),
  };
};
