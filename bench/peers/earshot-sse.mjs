// Earshot, read by Server-Sent Events and published to by WebSocket.
import { get, makeChannel } from '../harness/http.mjs';
import * as earshot from './earshot.mjs';

export const title = 'Earshot';

export async function start(options) {
  const started = await earshot.start(options);
  await makeChannel(started.port);
  return started;
}

export const talk = (options) => ({
  ...earshot.talk({ ...options, mode: 'fan' }),
  kind: 'm',
  publisherKind: 'w',
  reader: [[get(`/v1/stream/${earshot.CHANNEL}?offset=now&live=sse`), '"upToDate":true']],
});
