// uWebSockets.js, with its own publish().

import { startPeer } from '../harness/peer.mjs';
import { frame, handshakeText } from '../sockets.mjs';

export const title = 'uWebSockets.js';
export const start = ({ mode }) => startPeer('uws', mode);

const behaviors = {
  fan: (app) => ({
    open: (socket) => socket.subscribe('all'),
    message: (_socket, message) => app.publish('all', message, false),
  }),
  channels: (app) => ({
    message(socket, text) {
      const { subscribe, channel, data } = JSON.parse(Buffer.from(text).toString());
      if (subscribe === undefined) app.publish(channel, JSON.stringify({ channel, data }), false);
      else {
        socket.subscribe(subscribe);
        socket.send('{"subscribed":true}', false);
      }
    },
  }),
  echo: () => ({ message: (socket, message) => socket.send(message, false) }),
};

export async function serve(mode) {
  const { default: uWS } = await import('@trufflesuite/uws-js-unofficial');
  const app = uWS.App();
  app.ws('/*', { idleTimeout: 0, maxBackpressure: 64 * 1024 * 1024, ...behaviors[mode](app) });
  return new Promise((resolve) => {
    app.listen('127.0.0.1', 0, (listening) => resolve(uWS.us_socket_local_port(listening)));
  });
}

const greet = [handshakeText('/'), '\r\n\r\n'];
const subscribe = [frame('{"subscribe":"#####"}'), '"subscribed"'];
export const talk = ({ mode, subscriptions = 0 }) => ({
  kind: 'w',
  reader: [greet, ...Array(subscriptions).fill(subscribe)],
  publisher: [greet],
  publish: (data) => frame(mode === 'channels' ? `{"channel":"#####","data":${data}}` : data),
});
