import { WebSocket } from 'ws';
import { Client } from './client.js';
import type { ConnectOptions } from './options.js';
import { settingsOf } from './options.js';

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
 * Connects to a server, and stays connected: after a cut it comes back by itself. Returns at once; see
 * `client.ready()`. Keeps the process alive until it is closed.
 *
 * @param url Of the WebSocket, `ws:` or `wss:`.
 */
export function connect<Channels extends object = Record<string, unknown>>(
  url: string,
  options: ConnectOptions = {},
): Client<Channels> {
  return new Client<Channels>(settingsOf(url, options, WebSocket));
}
