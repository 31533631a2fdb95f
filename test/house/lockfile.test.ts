import { readFileSync } from 'node:fs';
import t from 'tap';

/** Below these there are known faults that touch us. */
const FLOORS = { ws: '8.23.0', fastify: '5.12.5', '@fastify/static': '10.1.4' };
const ENGINES = '^20.19.0 || >=22.12.0';

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  /** Of a folder of this repository: its place is where it is resolved. */
  readonly link?: boolean;
  readonly engines?: { readonly node?: string };
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, Entry>>;
}
interface Manifest {
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const lock: Lock = JSON.parse(read('package-lock.json'));
/** That of the peers of the bench. */
const benchLock: Lock = JSON.parse(read('bench/package-lock.json'));
const manifest: Manifest = JSON.parse(read('package.json'));

/** Every copy of a package, nested ones included, by its place. */
function copiesOf({ packages }: Lock, name: string): ReadonlyArray<readonly [string, string]> {
  return Object.entries(packages)
    .filter(([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    .map(([path, entry]) => [path, entry.version ?? 'no version']);
}

function belowFloor(from: Lock, name: string, floor: string): readonly string[] {
  return copiesOf(from, name)
    .filter(([, version]) => !isAtLeast(version, floor))
    .map(([path, version]) => `${path} is ${version}`);
}

/** A prerelease of the floor is below it, and so is what is not a version. */
function isAtLeast(version: string, floor: string): boolean {
  if (!/^\d+\.\d+\.\d+(?:-.+)?$/.test(version)) return false;
  const [release = '', prerelease] = version.split(/-(.*)/);
  const order = release.localeCompare(floor, 'en', { numeric: true });
  return order > 0 || (order === 0 && prerelease === undefined);
}

function resolvedIn({ packages }: Lock): readonly string[] {
  return Object.entries(packages)
    .filter(([, { resolved, link }]) => resolved !== undefined && !(link && resolved in packages))
    .map(([path]) => path);
}

/** Packages for other systems that were left out: `npm ci` refuses a lockfile that has not all of them. */
function leftOut({ packages }: Lock): readonly string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
    ),
  );
}

/** The packages of one section of docs/dependencies.md that have a reason. */
function withReason(section: string): readonly string[] {
  const [, text = ''] = read('docs/dependencies.md').split(`\n## ${section}\n`);
  const [own = ''] = text.split('\n## ');
  return [...own.matchAll(/^- `([^`]+)`: \S.+$/gm)].map(([, name = '']) => name);
}

for (const [name, floor] of Object.entries(FLOORS)) {
  t.test(`lockfile / every copy of ${name} → is ${floor} or later`, async (t) => {
    t.ok(copiesOf(lock, name).length > 0, 'there is one');
    t.strictSame(belowFloor(lock, name, floor), []);
  });
}

t.test('lockfile / a nested copy below its floor → is named', async (t) => {
  const packages = {
    'node_modules/ws': { version: '8.23.0' },
    'node_modules/a/node_modules/ws': { version: '8.9.0' },
    'node_modules/b/node_modules/ws': { version: '8.23.0-rc.1' },
    'node_modules/c/node_modules/ws': {},
    'node_modules/d/node_modules/ws': { version: '10.0.0' },
    'node_modules/isomorphic-ws': { version: '1.0.0' },
  };
  t.strictSame(belowFloor({ packages }, 'ws', FLOORS.ws), [
    'node_modules/a/node_modules/ws is 8.9.0',
    'node_modules/b/node_modules/ws is 8.23.0-rc.1',
    'node_modules/c/node_modules/ws is no version',
  ]);
});

t.test('lockfile / addresses of packages → there are none', async (t) => {
  t.strictSame(resolvedIn(lock), []);
  t.strictSame(resolvedIn(benchLock), []);
  t.strictSame(resolvedIn({ packages: { a: { resolved: 'https://example.com/a.tgz' } } }), ['a']);
  t.strictSame(
    resolvedIn({ packages: { a: { resolved: '../a', link: true } } }),
    ['a'],
    'a folder elsewhere',
  );
  t.strictSame(resolvedIn({ packages: { a: { resolved: 'b', link: true }, b: {} } }), []);
});

t.test('lockfile / packages for other systems → are all there', async (t) => {
  t.strictSame(leftOut(lock), []);
  t.strictSame(leftOut(benchLock), []);
  const packages = {
    'node_modules/a': { optionalDependencies: { b: '1.0.0', c: '1.0.0' } },
    'node_modules/b': {},
  };
  t.strictSame(leftOut({ packages }), ['c']);
});

t.test('engines / package.json and lockfile → say the same', async (t) => {
  t.equal(manifest.engines.node, ENGINES);
  t.equal(lock.packages['']?.engines?.node, ENGINES);
});

t.test('docs/dependencies.md / each dependency → has a reason, and nothing else has', async (t) => {
  t.strictSame(withReason('Runtime'), Object.keys(manifest.dependencies).sort());
  t.strictSame(withReason('Optional'), Object.keys(manifest.optionalDependencies).sort());
  t.strictSame(withReason('Development'), Object.keys(manifest.devDependencies).sort());
});
