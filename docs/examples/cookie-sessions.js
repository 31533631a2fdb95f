// Cookie sessions: who is logged in to the application is who they are in Earshot.
// PORT=3000 node docs/examples/cookie-sessions.js
import { randomBytes } from 'node:crypto';
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { earshot } from 'earshot';
import fastify from 'fastify';
import * as z from 'zod';

const app = fastify();
await app.register(cookie);
await app.register(session, {
  // One that stays, the same on every node: a new one at each start logs everybody out.
  secret: process.env.SESSION_SECRET ?? randomBytes(32).toString('hex'),
  saveUninitialized: false,
  cookie: { secure: process.env.NODE_ENV === 'production', sameSite: 'lax', maxAge: 8 * 3_600_000 },
});

await app.register(earshot, {
  // A browser sends the cookie along with every WebSocket, also with one that a page of somebody else's opens, and lets
  // that page read it (cross-site WebSocket hijacking). So only pages of this host may connect: Earshot looks at the
  // Origin before it asks onConnect. Behind a proxy that rewrites Host, name yours: ['https://app.example'].
  origins: ['same'],
  channels: {
    // What the server tells one user; {sub} is the user that onConnect gives.
    'user/{sub}/**': { authenticated: ['subscribe', 'history'] },
    'chat/*': { schema: z.strictObject({ text: z.string().min(1).max(500) }) },
    // With a table, whatever is not in it is nobody's.
  },
  hooks: {
    async onConnect({ request }) {
      const { session } = await sessionOf(request);
      const user = session?.get('user');
      if (user === undefined) return undefined; // nobody: refused with 401, as `anonymous` is off
      return { user: user.id, name: user.name, expiresAt: session.cookie.expires.getTime() };
    },
  },
});

/** What the session plugin does in a hook of Fastify's, which does not run on upgrades. */
async function sessionOf({ headers }) {
  const request = {};
  const { sessionId } = app.parseCookie(headers.cookie ?? '');
  if (sessionId === undefined) return request;
  await new Promise((resolve, reject) => {
    app.decryptSession(sessionId, request, (error) => (error ? reject(error) : resolve()));
  });
  return request;
}

const ID = { type: 'string', pattern: '^[a-z0-9-]{1,32}$' };
const body = { type: 'object', required: ['id'], properties: { id: ID, name: { type: 'string' } } };
app.post('/login', { schema: { body } }, async (request) => {
  const { id, name = id } = request.body; // your check of a password comes here
  await request.session.regenerate(); // a session that somebody planted before the login is worth nothing after it
  request.session.set('user', { id, name });
  await app.earshot.publish(`user/${id}/logins`, { from: request.ip });
  return { id };
});

app.post('/logout', async (request, reply) => {
  const user = request.session.get('user');
  await request.session.destroy(); // first: from now on the cookie lets nobody in
  if (user !== undefined) app.earshot.sessions.endUser(user.id);
  return reply.clearCookie('sessionId', { path: '/' }).code(204).send();
});

process.once('SIGTERM', () => app.close());
const port = Number(process.env.PORT ?? 3000);
console.log(`listening on ${await app.listen({ port, host: '127.0.0.1' })}`);
