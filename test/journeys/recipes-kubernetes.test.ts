import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IIngress } from 'kubernetes-models/networking.k8s.io/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IProbe, IService } from 'kubernetes-models/v1';
import type { Test } from 'tap';
import t from 'tap';
import { eventually } from '../support/app.js';
import type { Manifest } from '../support/manifests.js';
import { manifestsOf, schemaFaults, strayFields } from '../support/manifests.js';
import { peer } from '../support/peer.js';
import type { Environment } from '../support/recipe-nodes.js';
import { OPEN, recipeRedis, secretFile, settingsWith } from '../support/recipe-nodes.js';
import { part, replaced } from '../support/recipes.js';
import type { RunningServer } from '../support/spawn.js';
import { startServer } from '../support/spawn.js';

const RECIPE = 'docs/recipes/kubernetes.md';
/** What a probe has unless it is said. */
const PROBE = { periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3, successThreshold: 1 };
/** Of a start, the stop of other things on the machine included. */
const MARGIN_MS = 10_000;

const text = part('kubernetes', 'yaml');
const manifests = manifestsOf(text);
/** The first test holds each of them against its type. */
const deployment = only('Deployment') as unknown as IDeployment;
const budget = only('PodDisruptionBudget') as unknown as IPodDisruptionBudget;
const service = only('Service') as unknown as IService;
const ingress = only('Ingress') as unknown as IIngress;

const pod = deployment.spec?.template.spec;
const [container] = pod?.containers ?? [];
const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value ?? '']));

function only(kind: string): Manifest {
  const [one, ...more] = manifests.filter((manifest) => manifest.kind === kind);
  if (one === undefined || more.length > 0) throw new Error(`there is one ${kind}`);
  return one;
}

/** All that a probe says, in ms, and the path that it asks. */
function probe(given: IProbe | undefined) {
  if (given?.httpGet === undefined) throw new Error('a probe by HTTP');
  const { periodSeconds, timeoutSeconds, failureThreshold } = { ...PROBE, ...given };
  return {
    path: given.httpGet.path ?? '/',
    port: given.httpGet.port,
    timeoutMs: timeoutSeconds * 1000,
    /** Until it is acted upon. */
    withinMs: periodSeconds * failureThreshold * 1000,
  };
}

const startup = probe(container?.startupProbe);
const readiness = probe(container?.readinessProbe);
const liveness = probe(container?.livenessProbe);

/** The status that the kubelet would see; 0 where the answer is too late. */
async function ask({ url }: Pick<RunningServer, 'url'>, { path, timeoutMs }: ReturnType<typeof probe>) {
  return fetch(url + path, { signal: AbortSignal.timeout(timeoutMs) }).then(
    ({ status }) => status,
    () => 0,
  );
}

/** The container's process with the variables of the manifest, on a free port of the loopback. */
async function running(t: Test, more: Environment = {}) {
  const redis = await recipeRedis(t);
  const files = {
    EARSHOT_STORE_FILE: secretFile(t, redis.address),
    EARSHOT_TOKEN_SECRET_FILE: secretFile(t, 'a secret of tests: thirty-two bytes or more'),
  };
  const here = { EARSHOT_DATA: undefined, HOST: '127.0.0.1', PORT: '0' };
  const server = await startServer(t, {
    command: ['serve'],
    env: { ...env, ...files, ...here, ...OPEN, ...more },
  });
  return { redis, server };
}

t.test(
  `${RECIPE} / each manifest → is what the schema of its kind wants, and has no other field`,
  async (t) => {
    for (const manifest of manifests) t.strictSame(await schemaFaults(manifest), []);
    t.strictSame(strayFields(manifests), []);
  },
);

t.test('manifests / mistakes → are named', async (t) => {
  const wrong = (from: string, to: string) => manifestsOf(replaced(text, { [from]: to }));
  const faults = async (from: string, to: string) =>
    (await Promise.all(wrong(from, to).map(schemaFaults))).flat().join();
  t.match(await faults('replicas: 2', 'replicas: two'), /replicas must be integer/);
  t.match(await faults('memory: 1Gi', 'memory: 1 Gib'), /memory must match format "quantity"/);
  t.match(await faults('maxUnavailable: 0, ', 'maxUnavailable: [], '), /maxUnavailable/);
  t.match(
    strayFields(wrong('terminationGracePeriodSeconds', 'terminationGracePeriodSecond')),
    [/'"terminationGracePeriodSecond"' does not exist in type/],
    'which the schema alone lets pass',
  );
});

t.test(`${RECIPE} / what names something → finds it`, async (t) => {
  const labels = deployment.spec?.template.metadata?.labels;
  t.strictSame(deployment.spec?.selector.matchLabels, labels);
  t.strictSame(budget.spec?.selector?.matchLabels, labels);
  t.strictSame(service.spec?.selector, labels);
  t.strictSame(pod?.topologySpreadConstraints?.[0]?.labelSelector?.matchLabels, labels);
  const ports = container?.ports?.map(({ name }) => name) ?? [];
  for (const each of [startup, readiness, liveness]) t.ok(ports.includes(String(each.port)));
  t.equal(env['PORT'], String(container?.ports?.[0]?.containerPort));
  t.ok(ports.includes(String(service.spec?.ports?.[0]?.targetPort)));
  const backend = ingress.spec?.rules?.[0]?.http?.paths[0]?.backend.service;
  t.equal(backend?.name, service.metadata?.name);
  t.equal(backend?.port?.name, service.spec?.ports?.[0]?.name);
  t.equal(ingress.metadata?.annotations?.['nginx.org/websocket-services'], service.metadata?.name);
  const [mount] = container?.volumeMounts ?? [];
  t.strictSame(
    pod?.volumes?.map(({ name }) => name),
    [mount?.name],
  );
  const created = part('kubernetes', 'sh').match(/secret generic (\S+)(.*)/);
  t.equal(pod?.volumes?.[0]?.secret?.secretName, created?.[1]);
  const files = [...(created?.[2] ?? '').matchAll(/--from-file=(\S+)/g)].map(
    ([, name]) => `${mount?.mountPath}/${name}`,
  );
  const named = Object.entries(env).filter(([name]) => name.endsWith('_FILE'));
  t.strictSame(named.map(([, path]) => path).sort(), files.sort());
});

t.test(`${RECIPE} / its numbers → fit each other and those of the server`, async (t) => {
  const settings = await settingsWith(env);
  const graceMs = (pod?.terminationGracePeriodSeconds ?? 30) * 1000;
  const [delayMs, drainMs] = [settings('drainDelayMs'), settings('drainTimeoutMs')];
  t.ok(graceMs >= drainMs + MARGIN_MS, 'nobody is killed who still drains');
  t.ok(delayMs >= readiness.withinMs, 'whoever goes by readiness has noticed before anybody is refused');
  t.ok(delayMs < drainMs / 2, 'most of the time is for the sessions');
  t.ok(readiness.timeoutMs > 1000, 'a store that does not answer within a second is told as 503');
  t.ok(startup.withinMs >= 30_000);
  t.ok(liveness.withinMs > settings('maxEventLoopDelayMs'));
  t.equal((drainMs / 1000) * settings('reconnectsPerSecond'), 9000, 'sessions, as the text says');
  t.ok((deployment.spec?.replicas ?? 1) > Number(budget.spec?.minAvailable), 'a machine can be emptied');
  const seconds = (name: string) =>
    Number.parseInt(ingress.metadata?.annotations?.[`nginx.org/${name}`] ?? '', 10);
  for (const name of ['proxy-read-timeout', 'proxy-send-timeout'])
    for (const silence of ['pingIntervalMs', 'longPollTimeoutMs'])
      t.ok(seconds(name) * 1000 > settings(silence) * 2, `${name}: ${silence}`);
  t.equal(seconds('client-max-body-size') * 1024 ** 2, settings('limits.maxBodyBytes'));
});

t.test(`${RECIPE} / the probes of a node → ready, and alive through a drain that ends in time`, async (t) => {
  const { server } = await running(t);
  for (const each of [startup, readiness, liveness]) t.equal(await ask(server, each), 200);
  const client = await peer(t, `${server.url.replace('http', 'ws')}/ws`);
  const since = performance.now();
  const ended = server.stop('SIGTERM');
  await eventually('not ready', async () => (await ask(server, readiness)) === 503);
  t.equal(await ask(server, liveness), 200);
  const late = await peer(t, `${server.url.replace('http', 'ws')}/ws`);
  await late.next('welcome');
  t.ok(performance.now() - since < readiness.withinMs, 'who has not noticed yet is served');
  for (const each of [client, late]) {
    t.match(await each.next('bye'), { code: 'draining', advice: 'retry' });
    t.match(await each.closed, { code: 1012 });
  }
  t.strictSame(await ended, { code: 0, signal: null });
  const tookMs = performance.now() - since;
  t.ok(tookMs >= Number(env['EARSHOT_DRAIN_DELAY_MS']) && tookMs < Number(env['EARSHOT_DRAIN_TIMEOUT_MS']));
});

t.test(`${RECIPE} / Redis goes away → not ready, but alive; it comes back → ready`, async (t) => {
  const { server, redis } = await running(t);
  await redis.stop('SIGKILL');
  await eventually('not ready', async () => (await ask(server, readiness)) === 503);
  for (const each of [startup, liveness]) t.equal(await ask(server, each), 200);
  await redis.start();
  await eventually('ready', async () => (await ask(server, readiness)) === 200);
});
