import { Client } from './client.js';
import type { ConnectOptions } from './options.js';
import { settingsOf } from './options.js';
import type { SocketConstructor } from './socket.js';

export type { Advice, ErrorCode } from '../protocol/codes.js';
export type { Member } from '../protocol/replies.js';
export type { ChannelName, Client, ClientEvents } from './client.js';
export type { LocalErrorCode } from './errors.js';
export { EarshotError } from './errors.js';
export type * from './options.js';
export type { SubscriptionEvents, SubscriptionState } from './parts/feed.js';
export type { FetchLike, SocketConstructor, SocketEvent, SocketLike } from './socket.js';
export type { ConnectionState } from './state.js';
export type { Subscription } from './subscription.js';

/**
 * Connects to a server, and stays connected: after a cut it comes back by itself, and at once when the
 * browser is online again or the page is seen again. Returns at once; see `client.ready()`.
 *
 * @param url Of the WebSocket, `ws:` or `wss:`. Default: `/ws` on the page's own host.
 */
export function connect<Channels extends object = Record<string, unknown>>(
  url: string = ownUrl(),
  options: ConnectOptions = {},
): Client<Channels> {
  const client = new Client<Channels>(settingsOf(url, options, WebSocket as SocketConstructor));
  const wake = () => client.wake();
  const wakeIfSeen = () => document.visibilityState === 'visible' && wake();
  addEventListener('online', wake);
  addEventListener('pageshow', wake);
  document.addEventListener('visibilitychange', wakeIfSeen);
  client.on('state', (state) => {
    if (state !== 'closed') return;
    removeEventListener('online', wake);
    removeEventListener('pageshow', wake);
    document.removeEventListener('visibilitychange', wakeIfSeen);
  });
  return client;
}

function ownUrl(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
}
