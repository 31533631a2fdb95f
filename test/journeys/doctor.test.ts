import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import type { Finding, Fix } from '../../src/cli/doctor/finding.js';
import { eventually } from '../support/app.js';
import { caddyWith, haproxyWith, nginxOn } from '../support/proxies.js';
import {
  ALL_OK,
  doctor,
  doctorCommand,
  proxyAs,
  RECIPES,
  recipe,
  replaced,
  serverOn,
} from '../support/recipes.js';
import { freePort } from '../support/spawn.js';

const UPGRADE = [
  'proxy_http_version 1.1;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection "upgrade";',
].join('\n');

interface Broken {
  readonly title: string;
  readonly check: Finding['check'];
  readonly seen: RegExp;
  /** Whether /ws has a location of its own, as it should be. */
  readonly wsApart?: boolean;
  /** What belongs into the location of the rest, besides proxy_pass. */
  readonly location: string;
  /** What of it stays when it is mended. */
  readonly kept: string;
  /** How many seconds to be silent. */
  readonly idle: string;
}

const BROKEN: readonly Broken[] = [
  {
    title: 'nothing but proxy_pass',
    check: 'upgrade',
    seen: /^426: /,
    location: '',
    kept: '',
    idle: '0',
  },
  {
    title: 'a buffer that heeds nobody',
    check: 'sse',
    seen: /^a proxy buffers: the first event came after \d+ ms, together with the second$/,
    wsApart: true, // to a server that it speaks HTTP/1.1 with, it passes on each chunk
    location: 'proxy_ignore_headers X-Accel-Buffering;',
    kept: 'proxy_ignore_headers X-Accel-Buffering;',
    idle: '0',
  },
  {
    title: 'a second of patience',
    check: 'idle',
    seen: /^a silent stream of events was cut after [\d.]+ s, a silent WebSocket was cut after [\d.]+ s; .*25 s$/,
    location: `${UPGRADE}\nproxy_read_timeout 1s;`,
    kept: UPGRADE,
    idle: '2',
  },
];

for (const { title, check, seen, wsApart = false, location, kept, idle } of BROKEN) {
  t.test(`doctor / nginx with ${title} → says what is wrong, and its fixes mend it`, async (t) => {
    const { port } = await serverOn(t);
    const { idle: borne, ...others } = ALL_OK;
    const allOk = idle === '0' ? others : { ...others, idle: borne };
    const pass = `proxy_pass http://127.0.0.1:${port};`;
    const ws = wsApart ? `location = /ws { ${pass}\n${UPGRADE}\n}\n` : '';
    const on = (lines: string) => nginxOn(t, `${ws}location / { ${pass}\n${lines}\n}`);
    const broken = await doctor((await on(location)).url, idle);
    t.strictSame(broken.outcomes, { ...allOk, [check]: 'fail' });
    const { seen: told = '', fix = {} } = broken.of(check) ?? {};
    t.match(told, seen);
    const mended = await doctor((await on(`${kept}\n${fix.nginx}`)).url, idle);
    t.strictSame(mended.outcomes, allOk, 'by the fix for nginx');
    const caddy = await caddyWith(t, (own) => caddySite(own, port, fix));
    t.strictSame((await doctor(caddy.url, idle)).outcomes, allOk, 'by the fix for Caddy');
  });
}

function caddySite(own: number, port: string, { Caddy = '' }: Fix): string {
  return `http://127.0.0.1:${own} {\n${replaced(Caddy, { '127.0.0.1:8080': `127.0.0.1:${port}` })}\n}\n`;
}

t.test('doctor / HAProxy that cuts a silent tunnel → says so, and its fix mends it', async (t) => {
  const { port } = await serverOn(t);
  const on = (tunnel: string) =>
    haproxyWith(t, (own) =>
      replaced(recipe('haproxy', 'haproxy'), {
        '127.0.0.1:8080': `127.0.0.1:${port}`,
        'bind :80\n': `bind 127.0.0.1:${own}\n`,
        'timeout tunnel 75s': tunnel,
      }),
    );
  const broken = await doctor((await on('timeout tunnel 1s')).url, '2');
  t.strictSame(broken.outcomes, { ...ALL_OK, idle: 'fail' });
  const { seen = '', fix = {} } = broken.of('idle') ?? {};
  t.match(seen, /^a silent WebSocket was cut after [\d.]+ s; the server pings every 25 s$/);
  const mended = await doctor((await on(fix.HAProxy ?? '')).url, '2');
  t.strictSame(mended.outcomes, ALL_OK);
});

for (const each of RECIPES) {
  t.test(`doctor / ${each.name} before a server that does not run → says that a proxy answers`, async (t) => {
    const proxy = await proxyAs(t, each, String(await freePort()));
    const { findings } = await doctor(proxy.url, '0');
    t.match(findings, [
      { check: 'reach', outcome: 'fail', seen: /^a proxy answered 50[234] .*doesn't reach/ },
    ]);
  });
}

t.test('doctor / TLS that is not vouched for, and that is → says so, and finds nothing', async (t) => {
  const { port: serverPort } = await serverOn(t);
  const site = (port: number) =>
    `https://localhost:${port} {\n  bind 127.0.0.1\n  tls internal\n  reverse_proxy 127.0.0.1:${serverPort}\n}\n`;
  const { host, folder } = await caddyWith(t, site);
  const url = `https://localhost:${new URL(`http://${host}`).port}`;
  const authority = join(folder, 'caddy/pki/authorities/local/root.crt');
  await eventually('a certificate', () => isVouchedFor(url, authority));
  const { findings } = await doctor(url, '0');
  const [fix, seen] = [{ nginx: /ssl_certificate / }, /^the TLS certificate is not good: /];
  t.match(findings, [{ check: 'reach', outcome: 'fail', seen, fix }]);
  const trusting = { NODE_EXTRA_CA_CERTS: authority };
  const { outcomes } = await doctorCommand(url, ['--idle-seconds', '1', '--origin', url], trusting);
  t.strictSame(outcomes, ALL_OK);
});

function isVouchedFor(url: string, authority: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get(
      `${url}/livez`,
      { ca: existsSync(authority) ? readFileSync(authority) : '' },
      (answer) => {
        answer.resume();
        resolve(true);
      },
    );
    asked.on('error', () => resolve(false));
  });
}
