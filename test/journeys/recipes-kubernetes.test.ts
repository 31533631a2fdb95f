import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IIngress } from 'kubernetes-models/networking.k8s.io/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IProbe, IService } from 'kubernetes-models/v1';
import t from 'tap';
import type { Manifest } from '../support/manifests.js';
import { manifestsOf, schemaFaults, strayFields } from '../support/manifests.js';
import { settingsWith } from '../support/recipe-nodes.js';
import { part, replaced } from '../support/recipes.js';

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
