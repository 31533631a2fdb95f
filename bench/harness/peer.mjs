import { startServer } from '../processes.mjs';

/** Starts a peer of this name. All that use ws do so without its native addon, as Earshot does. */
export function startPeer(name, mode) {
  return startServer('harness/serve.mjs', [name, mode], { env: { WS_NO_BUFFER_UTIL: '1' } });
}
