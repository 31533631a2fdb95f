import { readFileSync } from 'node:fs';
import { SignJWT } from 'jose';
import type { Test } from 'tap';
import t from 'tap';
import type { EarshotOptions } from '../../src/index.js';
import { createApp } from '../../src/index.js';
import type { Block } from '../support/documents.js';
import { blocksOf } from '../support/documents.js';
import { traceLog } from '../support/logs.js';
import { peer, plainPeer } from '../support/peer.js';
import { secret } from '../support/secrets.js';
import type { Line } from '../support/transcript.js';
import { linesOf, Placeholders } from '../support/transcript.js';

const SECRET = secret('a secret of tests: thirty-two bytes or more');

const document = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const blocks = blocksOf(document).filter(({ language }) => ['wire', 'http'].includes(language));

/** The examples of one kind, in the order of the page. */
function examples(language: string, info: string): readonly Block[] {
  return blocks.filter((block) => block.language === language && block.info === info);
}

/** A fresh server; its host and port. */
async function serverOn(t: Test, options: EarshotOptions): Promise<string> {
  const app = await createApp({ maxEventLoopDelayMs: 3_600_000, ...options }, { logger: traceLog() });
  t.teardown(() => app.close());
  return new URL(await app.listen({ port: 0, host: '127.0.0.1' })).host;
}

function token(): Promise<string> {
  const claims = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject('u-1');
  return claims.setExpirationTime('1h').sign(new TextEncoder().encode(SECRET)).then(secret);
}

/** One end of a conversation, line by line. */
interface Talk {
  send(text: string): void;
  next(): Promise<string>;
}

/** Sends what is sent, as it is, and compares every byte of what is received. */
async function converse(t: Test, lines: readonly Line[], talk: Talk, words: Placeholders): Promise<void> {
  for (const { direction, text } of lines) {
    if (direction === 'sent') talk.send(words.fill(text));
    else {
      const came = await talk.next();
      t.equal(came, words.learn(text, came));
    }
  }
}

t.test('docs/protocol.md / its examples → all belong to a kind that is tried here', async (t) => {
  const kinds = new Set(blocks.map(({ language, info }) => `${language} ${info}`.trim()));
  t.strictSame([...kinds].sort(), ['http', 'http request', 'wire', 'wire plain', 'wire token']);
  const lines = blocks.filter(({ info }) => info !== 'request').flatMap((block) => linesOf(block));
  t.ok(lines.length > 30, `there are ${lines.length} lines`);
});

t.test('docs/protocol.md / envelopes on one connection → are sent and received byte for byte', async (t) => {
  const client = await peer(t, `ws://${await serverOn(t, { dev: true })}/ws`);
  const words = new Placeholders();
  for (const block of examples('wire', '')) {
    await t.test(`line ${block.line}`, (t) =>
      converse(
        t,
        linesOf(block),
        { send: (text) => client.sendRaw(text), next: async () => (await client.any()).text },
        words,
      ),
    );
  }
  t.strictSame(await client.fence(), [], 'nothing else came');
});

t.test('docs/protocol.md / with a token → are sent and received byte for byte', async (t) => {
  const host = await serverOn(t, { token: { secret: SECRET } });
  const signed = await token();
  const client = await peer(t, `ws://${host}/ws`, { headers: { authorization: `Bearer ${signed}` } });
  t.match(await client.next('welcome'), { user: 'u-1', name: 'u-1' });
  const words = new Placeholders({ token: signed });
  for (const block of examples('wire', 'token')) {
    await converse(
      t,
      linesOf(block),
      { send: (text) => client.sendRaw(text), next: async () => (await client.any()).text },
      words,
    );
  }
  t.strictSame(await client.fence(), [], 'nothing else came');
});

t.test('docs/protocol.md / a plain client → lines are sent and received byte for byte', async (t) => {
  const client = await plainPeer(t, `ws://${await serverOn(t, { dev: true })}/ws`);
  const words = new Placeholders();
  for (const block of examples('wire', 'plain')) await converse(t, linesOf(block), client, words);
  client.send('the last');
  t.equal(await client.next(), words.fill('‹name› -> the last'), 'nothing else came');
});

t.test('docs/protocol.md / commands over HTTP → are sent and answered byte for byte', async (t) => {
  const host = await serverOn(t, { dev: true });
  for (const block of examples('http', '')) {
    const answers: Promise<string>[] = [];
    await converse(
      t,
      linesOf(block),
      {
        send: (text) => answers.push(post(`http://${host}/v1/commands`, text)),
        next: async () => (await answers.shift()) ?? 'no request was sent',
      },
      new Placeholders(),
    );
  }
});

t.test('docs/protocol.md / requests → are sent and answered byte for byte', async (t) => {
  const host = await serverOn(t, { dev: true });
  const words = new Placeholders();
  for (const block of examples('http', 'request')) {
    await t.test(`line ${block.line}`, async (t) => {
      const { request, answer } = exchangeOf(block);
      const [method = '', path = ''] = words.fill(request.first).split(' ');
      const response = await fetch(`http://${host}${path}`, {
        method,
        headers: request.headers,
        ...(request.body !== '' && { body: request.body }),
      });
      t.equal(String(response.status), answer.first);
      for (const [name, value] of answer.headers) {
        const came = response.headers.get(name) ?? 'none';
        t.equal(came, words.learn(value, came), name);
      }
      const came = await readUpTo(response, answer.body.split('\n').length);
      t.equal(came, words.learn(answer.body, came));
    });
  }
});

/** A message of HTTP in an example. */
interface HttpExample {
  readonly first: string;
  readonly headers: [string, string][];
  readonly body: string;
}

/** The request of an example (`>`), and its answer (`<`, after one that is empty). */
function exchangeOf({ text, line }: Block): { readonly request: HttpExample; readonly answer: HttpExample } {
  const lines = text.trimEnd().split('\n');
  const side = (sign: string) => lines.filter((each) => each[0] === sign).map((each) => each.slice(2));
  if (lines.some((each) => !/^[<>]( |$)/.test(each)))
    throw new Error(`line ${line}: neither sent nor received`);
  return { request: exampleOf(side('>')), answer: exampleOf(side('<').slice(1)) };
}

function exampleOf([first = '', ...rest]: readonly string[]): HttpExample {
  const end = rest.indexOf('');
  const head = end === -1 ? rest : rest.slice(0, end);
  const headers = head.map((each) => {
    const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(each) ?? [];
    return [name, value] satisfies [string, string];
  });
  return { first, headers, body: end === -1 ? '' : rest.slice(end + 1).join('\n') };
}

/** The body as far as the example has lines: an event stream goes on. */
async function readUpTo(response: Response, lines: number): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const isStream = response.headers.get('content-type') === 'text/event-stream';
  let text = '';
  while (reader !== undefined && !(isStream && text.split('\n').length > lines + 1)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
  }
  await reader?.cancel();
  return text.split('\n').slice(0, lines).join('\n');
}

async function post(url: string, body: string): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  return response.text();
}

t.test('placeholders / seen twice → must be the same text', async (t) => {
  const words = new Placeholders({ a: '1' });
  t.equal(words.learn('‹a›,‹b›,‹b›', '1,2.5,2.5'), '1,2.5,2.5');
  t.equal(words.fill('‹b›'), '2.5');
  t.equal(words.learn('{‹b›}', '{3}'), '{2.5}');
  t.equal(words.learn('‹c› ‹c›', '1 2'), '‹c› ‹c›');
  t.equal(words.learn('‹c›', 'a"b'), '‹c›');
  t.throws(() => words.fill('‹c›'), { message: 'nobody has said what ‹c› is' });
  t.throws(() => linesOf({ language: 'wire', info: '', text: '> a\n= b\n', line: 7 }), { message: 'line 9' });
});
