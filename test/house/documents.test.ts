import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import * as z from 'zod';
import { createApp } from '../../src/index.js';
import { CLOSE_MEANINGS, CLOSES, ERRORS } from '../../src/protocol/codes.js';
import { optionsSchema } from '../../src/server/options/options.js';
import type { OptionSchema } from '../support/documents.js';
import {
  closesTable,
  codesTable,
  generated,
  linksOf,
  metricsOf,
  metricsTable,
  optionsOf,
  optionsTable,
  withGenerated,
} from '../support/documents.js';

/** Set by `npm run docs`: what is out of date is written instead of told. */
const WRITES = process.env['TAP_SNAPSHOT'] === '1';

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(pathOf(name), 'utf8');

const schema = z.toJSONSchema(optionsSchema, { io: 'input', unrepresentable: 'any' });
const options: OptionSchema = JSON.parse(JSON.stringify(schema)); // as data: what zod keeps beside it is of no interest

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

const PARTS: readonly (readonly [document: string, name: string, make: () => string | Promise<string>])[] = [
  ['README.md', 'options', () => optionsTable(options)],
  ['docs/protocol.md', 'codes', () => codesTable(ERRORS)],
  ['docs/protocol.md', 'closes', () => closesTable(CLOSES, CLOSE_MEANINGS)],
  ['docs/operating.md', 'metrics', async () => metricsTable(await metricsOfServer())],
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

t.test('options / each of them → is described', async (t) => {
  const all = optionsOf(options);
  t.ok(all.length > 40, 'there are options');
  t.strictSame(
    all.filter(({ meaning }) => meaning === '').map(({ name }) => name),
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

t.test('table of options / groups, choices and units → whole names and readable defaults', async (t) => {
  const made = optionsOf({
    properties: {
      group: {
        description: 'g',
        required: ['must'],
        properties: { must: {}, sizeBytes: { default: 65_536 }, waitMs: { default: 1500 } },
      },
      choice: { default: false, anyOf: [{}, { properties: { level: { default: 1 } } }] },
      count: { default: 50_000 },
      none: { description: 'n' },
    },
  });
  t.strictSame(
    made.map(({ name, initial, meaning }) => [name, initial, meaning]),
    [
      ['group', '', 'g'],
      ['group.must', 'required', ''],
      ['group.sizeBytes', '`65536` (64 KiB)', ''],
      ['group.waitMs', '`1500` (1.5 s)', ''],
      ['choice', '`false`', ''],
      ['choice.level', '`1`', ''],
      ['count', '`50000` (50,000)', ''],
      ['none', '–', 'n'],
    ],
  );
});
