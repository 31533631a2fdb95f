import type { IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import t from 'tap';
import { addressesBehind } from '../../src/server/admission/addresses.js';
import { OptionsError, resolveOptions } from '../../src/server/options/options.js';
import { appOn } from '../support/app.js';
import { rawConnect } from '../support/raw-socket.js';
import { ours } from './scene.js';

/** A server, and a way to ask which address it takes a request to come from. */
async function server(t: Test, trustProxy: string[]) {
  let seen: string | undefined;
  const onConnect = ({ address }: { address: string }) => {
    seen = address;
    return undefined;
  };
  const { port, app } = await appOn(t, { trustProxy, hooks: { onConnect } });
  const seenOf = async (forwarded: string | readonly string[] | undefined) => {
    seen = undefined;
    const raw = await rawConnect(t, port);
    await raw.send(ours({ headers: { 'x-forwarded-for': forwarded } }));
    const { status } = await raw.response();
    raw.socket.destroy();
    return status === 101 ? seen : status;
  };
  return { app, seenOf };
}

t.test(
  'X-Forwarded-For / by a proxy that is trusted → what it saw, never what the client wrote',
  async (t) => {
    const { seenOf } = await server(t, ['loopback', '10.0.0.0/8', '2001:db8:1::/48']);
    const table: Record<string, readonly [string | readonly string[] | undefined, string]> = {
      'no header': [undefined, '127.0.0.1'],
      'an empty one': ['', '127.0.0.1'],
      'nothing but commas': [' , ,, ', '127.0.0.1'],
      'one address': ['203.0.113.7', '203.0.113.7'],
      'an address that the client made up': ['198.51.100.1, 203.0.113.7', '203.0.113.7'],
      'one that it made up to look like a proxy': ['198.51.100.1, 10.0.0.1, 203.0.113.7', '203.0.113.7'],
      'a chain of proxies': ['198.51.100.1, 203.0.113.7, 10.1.2.3, 127.0.0.9', '203.0.113.7'],
      'nobody but proxies': ['10.0.0.1, 10.0.0.2', '10.0.0.1'],
      'two headers': [['198.51.100.1', '203.0.113.7, 10.0.0.1'], '203.0.113.7'],
      'a thousand that it made up': [`${'198.51.100.1,'.repeat(999)}203.0.113.7`, '203.0.113.7'],
      'a thousand proxies': [`203.0.113.7${',10.0.0.1'.repeat(999)}`, '203.0.113.7'],
      IPv6: ['2001:db8:2::7', '2001:db8:2::7'],
      'IPv6 behind IPv6': ['198.51.100.1, 2001:db8:2::7, 2001:db8:1::1', '2001:db8:2::7'],
      'IPv4 within IPv6': ['::ffff:203.0.113.7', '203.0.113.7'],
      'the same in upper case': ['::FFFF:203.0.113.7', '203.0.113.7'],
      'a proxy as IPv4 within IPv6': ['203.0.113.7, ::ffff:10.0.0.1', '203.0.113.7'],
      'IPv4 with a port': ['203.0.113.7:40123', '203.0.113.7'],
      'IPv6 in brackets': ['[2001:db8:2::7]', '2001:db8:2::7'],
      'IPv6 with a port': ['[2001:db8:2::7]:40123', '2001:db8:2::7'],
      'a proxy with a port': ['203.0.113.7:1, 10.0.0.1:443', '203.0.113.7'],
      'garbage left of it': ['"><script>, unknown, _hidden, 999.1.1.1, 203.0.113.7', '203.0.113.7'],
    };
    for (const [name, [forwarded, address]] of Object.entries(table)) {
      t.equal(await seenOf(forwarded), address, name);
    }
  },
);

t.test('X-Forwarded-For / its last word is no address → the peer that said so, never the text', async (t) => {
  const { seenOf } = await server(t, ['loopback']);
  const garbage = [
    'unknown',
    '_hidden',
    '999.999.999.999',
    '203.0.113.7.5',
    '203.0.113.7/24',
    '203.0.113.7:',
    '203.0.113.7:port',
    '[203.0.113.7',
    '[]:80',
    '127.1',
    '0x7f.1',
    '{"a":1}',
    '__proto__',
    'x'.repeat(5000),
    '203.0.113.7, unknown',
  ];
  for (const forwarded of garbage) t.equal(await seenOf(forwarded), '127.0.0.1', forwarded.slice(0, 40));
});

t.test('X-Forwarded-For / by a peer that is not trusted → nobody listens to it', async (t) => {
  for (const trustProxy of [[], ['10.0.0.0/8'], ['127.0.0.2', '::1']]) {
    const { seenOf } = await server(t, trustProxy);
    for (const forwarded of ['203.0.113.7', '127.0.0.1', '10.0.0.1', '10.0.0.1, 10.0.0.2', 'unknown']) {
      t.equal(await seenOf(forwarded), '127.0.0.1', `${forwarded} behind ${trustProxy}`);
    }
  }
});

t.test('peer / IPv4 on a socket of IPv6, or none any more → IPv4; unknown', async (t) => {
  const from = (remoteAddress: string | undefined, headers: object = {}) =>
    addressesBehind(['10.0.0.0/8'])({ headers, socket: { remoteAddress } } as unknown as IncomingMessage); // all it reads
  t.equal(from('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(from('2001:db8::1'), '2001:db8::1');
  t.equal(from('::ffff:10.0.0.1', { 'x-forwarded-for': '203.0.113.7' }), '203.0.113.7');
  t.equal(from(undefined), 'unknown');
  t.equal(from(undefined, { 'x-forwarded-for': '203.0.113.7' }), 'unknown');
});

t.test('trustProxy / a list that can not be read → an OptionsError that names the entry', async (t) => {
  const table: Record<string, RegExp> = {
    'not-an-address': /^trustProxy: .*not-an-address/,
    '10.0.0.0/33': /^trustProxy: .*10\.0\.0\.0\/33/,
    '10.0.0.0/0': /^trustProxy: .*10\.0\.0\.0\/0/,
    '10.0.0.0/-1': /^trustProxy: /,
    '10.0.0.0/x': /^trustProxy: /,
    '10.0.0.0/': /^trustProxy: /,
    '::1/129': /^trustProxy: .*::1\/129/,
    ['__proto__']: /^trustProxy: .*__proto__/,
    '*': /^trustProxy: .*\*/,
    true: /^trustProxy: .*true/,
  };
  for (const [entry, message] of Object.entries(table)) {
    t.throws(() => addressesBehind(['loopback', entry]), { name: 'OptionsError', message }, entry);
    t.throws(() => addressesBehind([entry]), { name: 'OptionsError', message }, entry);
  }
  await t.rejects(appOn(t, { trustProxy: ['loopbak'] }), OptionsError);
  t.throws(() => resolveOptions({ dev: true, trustProxy: [''] }), OptionsError);
  for (const wrong of [true, 'loopback', 1]) {
    const given = { dev: true, trustProxy: wrong } as unknown as Parameters<typeof resolveOptions>[0]; // as a file may say
    t.throws(() => resolveOptions(given), { name: 'OptionsError', message: /^trustProxy: / });
  }
});
