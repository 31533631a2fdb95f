import { createHmac } from 'node:crypto';
import { sideBySide } from '../harness/sides.mjs';

export const title = 'Connect, upgrade, close: a hundred at a time, for each connection';

const SIGNED = 'earshot/token';
const SECRET = 'a secret of the bench, which is long enough';

/** As HS256, good for a day. */
function token() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 86_400;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'ann', exp })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** Each comes with the token of a user: its signature is checked. */
const signing = () => ({
  title: 'Earshot, with a token',
  env: { EARSHOT_TOKEN_SECRET: SECRET },
  headers: [`Authorization: Bearer ${token()}`],
});

/** Earshot is waited for until its welcome. */
export const run = (bench) =>
  sideBySide(bench, {
    mode: 'fan',
    floor: false,
    peers: [...(bench.quick ? [] : [SIGNED]), 'ws', 'uws', 'fastify-websocket', 'socket.io', 'sockjs'],
    optionsOf: (name) => (name === SIGNED ? signing() : {}),
    open: { readers: 0, publishers: 0 },
    window: ({ load, port, talk }, ms) =>
      load.tell('storm', ms, 100, port, ...talk.reader[0].map((part) => Buffer.from(part))),
    targets: [{ than: 'ws', most: 1.25 }],
  });
