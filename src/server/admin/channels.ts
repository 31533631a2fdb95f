import * as z from 'zod';
import { Refused } from '../../protocol/refused.js';
import type { Earshot } from '../earshot.js';
import { pageOf } from './page.js';
import { answer, requestOf, route } from './route.js';
import { channel, named, page } from './schemas.js';

const { Channel, Channels, Closed } = named;
const oneChannel = requestOf({ query: z.strictObject({ channel }) });

export const CHANNEL_ROUTES = [
  route({
    method: 'GET',
    path: '/channels',
    operationId: 'listChannels',
    summary: 'The channels that exist',
    request: requestOf({ query: z.strictObject(page) }),
    answers: { 200: { description: 'A page of their names.', schema: Channels } },
    refusals: ['unavailable'],
    async run({ channels }, { query }) {
      const { items, next } = await pageOf(
        (options) => channels.list(options),
        (name) => name,
        query,
      );
      return answer(200, { channels: items, next });
    },
  }),
  route({
    method: 'GET',
    path: '/channel',
    operationId: 'getChannel',
    summary: 'What a channel is like',
    request: oneChannel,
    answers: { 200: { description: 'The channel.', schema: Channel } },
    refusals: ['bad_channel', 'not_found', 'unavailable'],
    async run(earshot, { query }) {
      return answer(200, await infoOf(earshot, query.channel));
    },
  }),
  route({
    method: 'PUT',
    path: '/channel',
    operationId: 'createChannel',
    summary: 'Makes a channel, which stays until it is deleted',
    request: oneChannel,
    answers: {
      200: { description: 'It was there already.', schema: Channel },
      201: { description: 'It was made.', schema: Channel },
    },
    refusals: ['bad_channel', 'too_many', 'unavailable'],
    async run(earshot, { query }) {
      const { channels } = earshot;
      const isThere = (await channels.info(query.channel)) !== undefined;
      await channels.create(query.channel);
      const info = await infoOf(earshot, query.channel);
      return isThere ? answer(200, info) : answer(201, info);
    },
  }),
  route({
    method: 'POST',
    path: '/channel/close',
    operationId: 'closeChannel',
    summary: 'Closes a channel: it can be read, and takes no more',
    request: oneChannel,
    answers: { 200: { description: 'It is closed.', schema: Closed } },
    refusals: ['bad_channel', 'not_found', 'unavailable'],
    async run({ channels }, { query }) {
      return answer(200, { offset: await channels.close(query.channel) });
    },
  }),
  route({
    method: 'DELETE',
    path: '/channel',
    operationId: 'deleteChannel',
    summary: 'Forgets a channel and all that is in it',
    request: oneChannel,
    answers: { 204: { description: 'It is gone.' } },
    refusals: ['bad_channel', 'not_found', 'unavailable'],
    async run({ channels }, { query }) {
      await channels.delete(query.channel);
      return answer(204);
    },
  }),
];

async function infoOf({ channels }: Earshot, name: string) {
  const info = await channels.info(name);
  if (info === undefined) throw new Refused('not_found', 'there is no such channel');
  return info;
}
