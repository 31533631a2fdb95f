import * as z from 'zod';
import { encodePage } from '../../protocol/encode.js';
import { JsonText } from '../../protocol/json-text.js';
import { storedHistoryOf } from '../api/messages.js';
import { answer, requestOf, route } from './route.js';
import { channel, named, offset, page } from './schemas.js';

const { Publish, Published, History, Presence } = named;

export const MESSAGE_ROUTES = [
  route({
    method: 'POST',
    path: '/publish',
    operationId: 'publish',
    summary: 'Publishes a message',
    request: requestOf({ body: Publish }),
    answers: { 200: { description: 'It is in the store.', schema: Published } },
    refusals: ['bad_channel', 'closed', 'fenced', 'out_of_sequence', 'too_many', 'unavailable'],
    async run(earshot, { body }, dataText) {
      const { channel, data: _asText, ...options } = body;
      const { offset, duplicate } = await earshot.publish(channel, new JsonText(dataText), options);
      return answer(200, { offset, duplicate });
    },
  }),
  route({
    method: 'GET',
    path: '/history',
    operationId: 'getHistory',
    summary: 'A page of the log of a channel',
    request: requestOf({
      query: z.strictObject({ channel, offset: offset.exactOptional(), limit: page.limit }),
    }),
    answers: { 200: { description: 'The messages after the offset.', schema: History } },
    refusals: ['bad_channel', 'bad_offset', 'gone', 'too_many', 'unavailable'],
    async run({ store }, { query }) {
      const { channel, ...options } = query;
      const page = await storedHistoryOf(store, channel, options);
      return answer(200, new JsonText(encodePage(page)));
    },
  }),
  route({
    method: 'GET',
    path: '/presence',
    operationId: 'getPresence',
    summary: 'Who is in a channel, on this node',
    request: requestOf({ query: z.strictObject({ channel }) }),
    answers: { 200: { description: 'The members.', schema: Presence } },
    refusals: ['bad_channel'],
    run(earshot, { query }) {
      return answer(200, earshot.presence(query.channel));
    },
  }),
];
