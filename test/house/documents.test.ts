import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Costs } from '../../bench/scaling/tables.mjs';
import { tablesOf } from '../../bench/scaling/tables.mjs';
import { backoffMs } from '../../src/client/backoff.js';
import { createApp } from '../../src/index.js';
import { CLOSE_MEANINGS, CLOSES, ERRORS } from '../../src/protocol/codes.js';
import { planTurns } from '../../src/server/drain.js';
import { catalog } from '../../src/server/settings/catalog.js';
import {
  closesTable,
  codesTable,
  generated,
  linksOf,
  metricsOf,
  metricsTable,
  settingsTable,
  withGenerated,
} from '../support/documents.js';

/** Set by `npm run docs`: what is out of date is written instead of told. */
const WRITES = process.env['TAP_SNAPSHOT'] === '1';

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(pathOf(name), 'utf8');

const settings = catalog();
/** What people need first. */
const FIRST = [
  'host',
  'port',
  'dev',
  'token.secret',
  'token.jwksUrl',
  'origins',
  'anonymous',
  'channels',
  'retention.messages',
  'trustProxy',
];

/** Every metric of a real server, labels included where nothing was counted yet. */
async function metricsOfServer() {
  const app = await createApp({ dev: true });
  const { registry } = app.earshot.metrics;
  const { body } = await app.inject('/metrics');
  await app.close();
  return metricsOf(body, (name) => labelNamesOf(registry.getSingleMetric(name)));
}

/** prom-client keeps the names that a metric was made with, and does not type them. */
function labelNamesOf(metric: object | undefined): readonly string[] {
  const { labelNames } = metric as { readonly labelNames?: readonly string[] };
  if (labelNames === undefined) throw new Error('prom-client tells no label names any more');
  return labelNames;
}

/** Computed of what was measured. */
const costs: Costs = JSON.parse(read('bench/scaling/costs.json'));
const scaling = Object.entries(tablesOf({ costs, backoffMs, planTurns }));

const PARTS: readonly (readonly [document: string, name: string, make: () => string | Promise<string>])[] = [
  ['README.md', 'options', () => settingsTable(settings.filter(({ name }) => FIRST.includes(name)))],
  ['docs/configuration.md', 'settings', () => settingsTable(settings)],
  ['docs/protocol.md', 'codes', () => codesTable(ERRORS)],
  ['docs/protocol.md', 'closes', () => closesTable(CLOSES, CLOSE_MEANINGS)],
  ['docs/operating.md', 'metrics', async () => metricsTable(await metricsOfServer())],
  ...scaling.map(([name, text]) => ['docs/scaling.md', name, () => text] as const),
];

for (const [document, name, make] of PARTS) {
  t.test(`${document} / the table of ${name} → is what the code says`, async (t) => {
    const content = await make();
    if (WRITES) writeFileSync(pathOf(document), withGenerated(read(document), name, content));
    t.equal(generated(read(document), name), content, 'stale: run `npm run docs`');
  });
}

t.test('docs/protocol.md / every code of an error and of a close → is listed', async (t) => {
  const text = read('docs/protocol.md');
  const codes = Object.keys(ERRORS).filter((code) => !generated(text, 'codes').includes(`| \`${code}\` |`));
  t.strictSame(codes, []);
  const closes = Object.values(CLOSES).filter(
    ({ code }) => !generated(text, 'closes').includes(`| ${code} |`),
  );
  t.strictSame(closes, []);
});

t.test('settings / each of them → is described; what people need first is among them', async (t) => {
  t.ok(settings.length > 40, 'there are settings');
  t.strictSame(
    FIRST.filter((first) => !settings.some(({ name }) => name === first)),
    [],
  );
  t.strictSame(
    settings.filter(({ meaning }) => meaning === '').map(({ name }) => name),
    [],
  );
});

t.test(
  'metrics / each of them → begins with earshot_, has a meaning, and no channel or user in a label',
  async (t) => {
    const metrics = await metricsOfServer();
    t.ok(metrics.length > 15, 'there are metrics');
    for (const { name, help, type, labels } of metrics) {
      t.match(name, /^earshot_[a-z_]+$/);
      t.match(help, /^.+\.$/, name);
      t.match(type, /^(counter|gauge|histogram)$/, name);
      t.notOk(
        labels.some((label) => /channel|user|name|session|address/.test(label)),
        name,
      );
    }
  },
);

t.test('documents / every link and every path of ours → leads somewhere', async (t) => {
  const folders = ['docs', 'docs/decisions', 'docs/recipes'];
  const documents = ['README.md', 'CHANGELOG.md', ...folders.flatMap(markdownIn)];
  const dead = documents.flatMap((document) =>
    [...linksFrom(document), ...pathsIn(read(document))]
      .filter((path) => !existsSync(pathOf(path)))
      .map((path) => `${document}: ${path}`),
  );
  t.strictSame(dead, []);
});

/** Links from here to here, from the root of the project. */
function linksFrom(document: string): readonly string[] {
  const root = new URL('file:///');
  return linksOf(read(document))
    .filter((target) => !/^[a-z]+:/.test(target) && !target.startsWith('#'))
    .map((target) => new URL(target, new URL(document, root)).pathname.slice(1));
}

/** What a text names of our folders: in code, or at the head of a line of a plain block. */
function pathsIn(text: string): readonly string[] {
  const ours = /(?:`|^)((?:src|test|docs|public|bench)\/[\w./-]*)(?=[`\s])/gm;
  return [...text.matchAll(ours)].map(([, path = '']) => path);
}

function markdownIn(folder: string): readonly string[] {
  const names = readdirSync(pathOf(folder));
  return names.filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`);
}

t.test('parts of documents / replaced → the rest stays, and once is enough', async (t) => {
  const text = 'a\n<!-- x -->\nold\n<!-- /x -->\nb\n';
  const once = withGenerated(text, 'x', 'new');
  t.equal(once, 'a\n<!-- x -->\nnew\n<!-- /x -->\nb\n');
  t.equal(withGenerated(once, 'x', 'new'), once);
  t.equal(generated(once, 'x'), 'new');
  t.throws(() => generated(text, 'y'), { message: 'there is no place for y' });
});

t.test('table of settings / groups, choices and units → whole names and readable defaults', async (t) => {
  const made = catalog({
    properties: {
      group: {
        description: 'g',
        required: ['must'],
        properties: {
          must: { type: 'string', secret: true },
          sizeBytes: { type: 'integer', default: 65_536 },
          waitMs: { type: 'integer', default: 1500 },
        },
      },
      choice: {
        default: false,
        anyOf: [{ type: 'boolean' }, { properties: { level: { default: 1, type: 'integer' } } }],
      },
      count: { type: 'integer', default: 50_000 },
      on: { type: 'boolean', default: true },
      map: { additionalProperties: { properties: { a: { type: 'string', description: 'a | b' } } } },
    },
  });
  t.strictSame(settingsTable(made).split('\n').slice(2), [
    '| `group` |  |  |  | g |',
    '| `group.must` |  | `EARSHOT_GROUP_MUST` | required |  |',
    '| `group.sizeBytes` | `--group-size-bytes` | `EARSHOT_GROUP_SIZE_BYTES` | `65536` (64 KiB) |  |',
    '| `group.waitMs` | `--group-wait-ms` | `EARSHOT_GROUP_WAIT_MS` | `1500` (1.5 s) |  |',
    '| `choice` | `--choice` | `EARSHOT_CHOICE` | `false` |  |',
    '| `choice.level` | `--choice-level` | `EARSHOT_CHOICE_LEVEL` | `1` |  |',
    '| `count` | `--count` | `EARSHOT_COUNT` | `50000` (50,000) |  |',
    '| `on` | `--no-on` | `EARSHOT_ON` | `true` |  |',
    '| `map` |  | `EARSHOT_MAP` | – |  |',
    '| `map.<pattern>.a` |  |  | – | a \\| b |',
  ]);
});
