import { join } from 'node:path';
import t from 'tap';
import { connect } from '../../src/client/node.js';
import { peer } from '../support/peer.js';
import {
  ALL_OK,
  doctorCommand,
  HEADERS,
  proxyAs,
  RECIPES,
  recipe,
  replaced,
  serverOn,
  TOKEN,
} from '../support/recipes.js';
import { ROOT, runProcess } from '../support/spawn.js';
import { tool } from '../support/tools.js';

/** So long that what comes before it did not wait for it. */
const LONG_MS = 120_000;

for (const each of RECIPES) {
  const title = `docs/recipes/${each.name}.md`;

  t.test(`${title} / two clients → hear each other`, async (t) => {
    const { url } = await proxyAs(t, each, (await serverOn(t)).port);
    const wsUrl = `${url.replace('http', 'ws')}/ws`;
    const [one, two] = [
      await peer(t, wsUrl, { headers: HEADERS }),
      await peer(t, wsUrl, { headers: HEADERS }),
    ];
    for (const client of [one, two]) await client.call({ type: 'subscribe', channel: 'news' });
    await one.call({ type: 'publish', channel: 'news', data: 'there' });
    t.match(await two.next('message'), { data: 'there' });
    await two.call({ type: 'publish', channel: 'news', data: 'and back' });
    await one.next('message');
    t.match(await one.next('message'), { data: 'and back' });
  });

  t.test(`${title} / a stream that is silent after its first event → the event comes`, async (t) => {
    const { url } = await proxyAs(t, each, (await serverOn(t)).port);
    const headers = { ...HEADERS, accept: 'text/event-stream' };
    const response = await fetch(`${url}/v1/session?silentMs=${LONG_MS}`, { headers });
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += new TextDecoder().decode(chunk);
      if (text.endsWith('\n\n')) break;
    }
    t.match(text, /^event: session\ndata: ?.+\n\n$/);
  });

  t.test(
    `${title} / a client that names an address → the server is told the true one, and Host`,
    async (t) => {
      const { url, host } = await proxyAs(t, each, (await serverOn(t)).port);
      const headers = { 'x-forwarded-for': '192.0.2.1' };
      t.match(await (await fetch(`${url}/headers`, { headers })).json(), {
        host,
        'x-forwarded-for': '127.0.0.1',
      });
    },
  );

  t.test(`${title} / the doctor → finds nothing, for a page of its address either`, async (t) => {
    const { url } = await proxyAs(t, each, (await serverOn(t)).port);
    const { code, outcomes, findings } = await doctorCommand(url, ['--idle-seconds', '1', '--origin', url]);
    t.strictSame(outcomes, ALL_OK, JSON.stringify(findings));
    t.equal(code, 0);
  });

  t.test(`${title} / reload with a client connected → it misses nothing`, async (t) => {
    const { app, port } = await serverOn(t);
    const proxy = await proxyAs(t, each, port);
    const client = connect(`${proxy.url.replace('http', 'ws')}/ws`, {
      token: TOKEN,
      minBackoffMs: 20,
      maxBackoffMs: 100,
    });
    t.teardown(() => client.close());
    const channel = client.subscribe('orders');
    const resumes: string[] = [];
    const resumed = new Promise<void>((resolve) => {
      channel.on('resumed', ({ resume }) => resumes.push(resume) === 2 && resolve());
    });
    const messages = channel[Symbol.asyncIterator]();
    await channel.ready();
    await client.publish('orders', 0);
    await proxy.reload();
    await app.earshot.publish('orders', 1);
    if (!each.reloadKeeps) await resumed;
    await client.publish('orders', 2);
    const heard: unknown[] = [];
    for (let count = 0; count < 3; count++) heard.push((await messages.next()).value?.data);
    t.strictSame(heard, [0, 1, 2]);
    t.strictSame(resumes, each.reloadKeeps ? ['none'] : ['none', 'complete']);
    const fresh = await peer(t, `${proxy.url.replace('http', 'ws')}/ws`, { headers: HEADERS });
    t.match(await fresh.next('welcome'), { user: 'u-1' }, 'the new configuration serves');
  });
}

t.test('docs/recipes/systemd.md / the unit → is without fault, and exposes little', async (t) => {
  const unit = replaced(recipe('systemd', 'ini'), {
    '/usr/bin/node': process.execPath,
    '/srv/earshot/node_modules/earshot/': ROOT,
    'WorkingDirectory=/srv/earshot': `WorkingDirectory=${ROOT}`,
  });
  const analyze = (folder: string, ...args: readonly string[]) =>
    runProcess(tool('systemd'), [...args, join(folder, 'earshot.service')]);
  const good = t.testdir({ 'earshot.service': unit });
  const { code, stdout, stderr } = await analyze(good, 'verify', '--man=no');
  t.strictSame({ code, told: stdout + stderr }, { code: 0, told: '' });
  const security = await analyze(good, 'security', '--offline=true', '--threshold=20', '--no-pager');
  t.equal(security.code, 0, security.stdout);
});
