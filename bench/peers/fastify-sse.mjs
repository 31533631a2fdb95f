// Server-Sent Events, naive: a list of hijacked replies.

import { get, post } from '../harness/http.mjs';
import { startServer } from '../processes.mjs';

export const title = 'Fastify, a list of hijacked replies';
export const start = () => startServer('naive.mjs', ['sse']);

export const talk = () => ({
  kind: 'm',
  publisherKind: 'h',
  reader: [[get('/events'), ': begun']],
  publisher: [],
  publish: (data) => post('/publish', data, 'text/plain'),
});
