// Tokens: the application makes short-lived ones, and Earshot checks them.
// PORT=3000 node docs/examples/jwt.js
import { randomBytes, randomUUID } from 'node:crypto';
import { earshot } from 'earshot';
import fastify from 'fastify';
import { jwtVerify, SignJWT } from 'jose';

// One that stays, from the environment or a file, 32 bytes or more: whoever has it is everybody.
const secret = process.env.TOKEN_SECRET ?? randomBytes(32).toString('hex');
const key = new TextEncoder().encode(secret);
// Where one secret signs for several purposes, these two keep a token for one from being taken for another.
const [issuer, audience] = ['https://app.example', 'realtime'];
const TOKEN_MS = 5 * 60_000;

const app = fastify();
await app.register(earshot, {
  token: { secret, issuer, audience },
  origins: ['same'],
  // A token with `channels` may do what that says and no more; the table still says what holds on a channel.
  channels: { 'chat/*': { maxMessageBytes: 2000, publishesPerSecond: 5 } },
});

const ID = { type: 'string', pattern: '^[a-z0-9-]{1,32}$' };
const body = { type: 'object', required: ['id'], properties: { id: ID, room: ID } };
app.post('/token', { schema: { body } }, async (request) => {
  const { id, room = 'lobby' } = request.body; // who this is, and what they may, is what your application knows
  const channels = {
    'user/{sub}/**': ['subscribe', 'history'],
    [`chat/${room}`]: ['subscribe', 'publish', 'history', 'presence'],
  };
  const token = await new SignJWT({ name: id, channels })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(id)
    .setIssuer(issuer)
    .setAudience(audience)
    .setJti(randomUUID()) // so that this one can be revoked: app.earshot.revoke({ tokenId })
    .setIssuedAt() // so that those of before a logout can be told from those of after it
    .setExpirationTime(new Date(Date.now() + TOKEN_MS))
    .sign(key);
  return { token };
});

// The page hands the client a function, which is asked again when a token has run out:
//   connect(url, { token: async () => (await (await fetch('/token', { method: 'POST', … })).json()).token })

app.post('/logout', async (request, reply) => {
  const [, token = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
  const verified = await jwtVerify(token, key, { issuer, audience, algorithms: ['HS256'] }).catch(
    () => undefined,
  );
  if (verified === undefined) return reply.code(401).send();
  // A signed token is good until it runs out, unless it is remembered that it is not. Each node remembers its own.
  app.earshot.revoke({ user: verified.payload.sub }, { until: Date.now() + TOKEN_MS });
  return reply.code(204).send();
});

process.once('SIGTERM', () => app.close());
const port = Number(process.env.PORT ?? 3000);
console.log(`listening on ${await app.listen({ port, host: '127.0.0.1' })}`);
