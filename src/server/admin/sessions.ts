import * as z from 'zod';
import { Refused } from '../../protocol/refused.js';
import { firstAfter } from '../../store/first-after.js';
import type { ListOptions, SessionInfo, SessionRegistry } from '../api/sessions.js';
import { pageOf } from './page.js';
import { answer, requestOf, route } from './route.js';
import { channel, named, page, session, user } from './schemas.js';

const { Session, Sessions, Send, Sent, Ended, EndedSubscriptions, Revoke } = named;
const params = z.strictObject({ id: session });
const whose = z
  .strictObject({ channel, user: user.exactOptional(), session: session.exactOptional() })
  .refine(({ user, session }) => (user === undefined) !== (session === undefined), {
    error: 'either user or session',
  });
const NO_SESSION = 'there is no such session';

export const SESSION_ROUTES = [
  route({
    method: 'GET',
    path: '/sessions',
    operationId: 'listSessions',
    summary: 'The sessions of this node, in the order of their ids',
    request: requestOf({ query: z.strictObject({ user: user.exactOptional(), ...page }) }),
    answers: { 200: { description: 'A page of them.', schema: Sessions } },
    refusals: [],
    async run({ sessions }, { query }) {
      const { user } = query;
      const { items, next } = await pageOf(
        (options) => (user === undefined ? sessions.list(options) : ofUser(sessions, user, options)),
        ({ id }) => id,
        query,
      );
      return answer(200, { sessions: items, next });
    },
  }),
  route({
    method: 'GET',
    path: '/sessions/:id',
    operationId: 'getSession',
    summary: 'One session',
    request: requestOf({ params }),
    answers: { 200: { description: 'The session.', schema: Session } },
    refusals: ['not_found'],
    run({ sessions }, { params }) {
      return answer(200, existing(sessions, params.id));
    },
  }),
  route({
    method: 'DELETE',
    path: '/sessions/:id',
    operationId: 'endSession',
    summary: 'Ends a session: the client is told `forbidden` and does not come back',
    request: requestOf({ params }),
    answers: {
      204: { description: 'It has ended.' },
      202: { description: 'It is not of this node. The others were told: where it is, it ends.' },
    },
    refusals: ['not_found'],
    run({ sessions }, { params }) {
      if (sessions.end(params.id)) return answer(204);
      if (sessions.hasOtherNodes) return answer(202);
      throw new Refused('not_found', NO_SESSION);
    },
  }),
  route({
    method: 'DELETE',
    path: '/sessions',
    operationId: 'endSessionsOfUser',
    summary: 'Ends every session of a user likewise, on every node',
    request: requestOf({ query: z.strictObject({ user }) }),
    answers: { 200: { description: 'They have ended.', schema: Ended } },
    refusals: [],
    run({ sessions }, { query }) {
      return answer(200, { ended: sessions.endUser(query.user) });
    },
  }),
  route({
    method: 'DELETE',
    path: '/subscriptions',
    operationId: 'endSubscriptions',
    summary: 'Ends the subscription to a channel of one session, or of all of a user, on whatever node',
    request: requestOf({ query: whose }),
    answers: { 200: { description: 'They have ended.', schema: EndedSubscriptions } },
    refusals: [],
    run({ sessions }, { query }) {
      const { channel, user, session = '' } = query;
      const ended =
        user === undefined
          ? Number(sessions.unsubscribe(session, channel))
          : sessions.unsubscribeUser(user, channel);
      return answer(200, { ended });
    },
  }),
  route({
    method: 'POST',
    path: '/sessions/:id/send',
    operationId: 'sendToSession',
    summary: 'Says something to one session alone, outside of every channel',
    request: requestOf({ params, body: Send }),
    answers: { 200: { description: 'It was handed to the connection, or not.', schema: Sent } },
    refusals: ['not_found'],
    run({ sessions }, { params, body }) {
      const { data, ...options } = body;
      existing(sessions, params.id);
      return answer(200, { sent: sessions.send(params.id, data, options) });
    },
  }),
  route({
    method: 'POST',
    path: '/revoke',
    operationId: 'revoke',
    summary:
      'Refuses a token, or those of a user until now, from here on, and ends their sessions, on every node',
    request: requestOf({ body: Revoke }),
    answers: { 200: { description: 'It is remembered.', schema: Ended } },
    refusals: ['too_many'],
    run(earshot, { body }) {
      const { user, tokenId = '', until } = body;
      const revocation = user === undefined ? { tokenId } : { user };
      return answer(200, { ended: earshot.revoke(revocation, { until }) });
    },
  }),
];

function existing(sessions: SessionRegistry, id: string): SessionInfo {
  const info = sessions.get(id);
  if (info === undefined) throw new Refused('not_found', NO_SESSION);
  return info;
}

function ofUser(sessions: SessionRegistry, user: string, options: ListOptions): SessionInfo[] {
  const { after = '', limit = Number.POSITIVE_INFINITY } = options;
  const found = new Map(sessions.find(user).map((info) => [info.id, info]));
  return firstAfter(found.keys(), after, limit).flatMap((id) => found.get(id) ?? []);
}
