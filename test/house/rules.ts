import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';
import { collect, type Import, importsOf, type Source, target } from './sources.js';

/** An import goes down this list or sideways, never up. `entry` is what stands in src/ itself, but for the command. */
const LAYERS = ['protocol', 'store', 'core', 'transport', 'server', 'entry', 'cli'];
const CLI = 'cli';
const CLIENT = 'client';
/** All of protocol/ that may end up in a browser; of the rest the client takes types. */
const CLIENT_VALUES = ['protocol/version.ts', 'protocol/codes.ts'];

/** The packages of the layers that may not choose freely; `node:` stands for all of Node's own modules. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  protocol: ['zod'],
  store: [],
  core: [],
  transport: ['node:', 'ws'],
  client: [],
};
/** Where a log is kept outside this process. */
const BEYOND_THE_PROCESS: readonly string[] = ['store/lmdb/', 'store/redis/'];
const PACKAGES_BEYOND: readonly string[] = ['node:', 'zod', 'lmdb', 'ioredis'];
/** The one file of the client for Node. */
const CLIENT_IN_NODE = 'client/node.ts';
const ONLY_UNDER: ReadonlyArray<{ readonly packages: RegExp; readonly layers: readonly string[] }> = [
  { packages: /^ws$/, layers: ['transport'] },
  { packages: /^(?:fastify$|fastify-|@fastify\/)/, layers: ['server', 'entry', 'cli'] },
];

const MAX_LINES = 350;
const MAX_FILES = 12;

/** Core is handed these in, or does without. */
const NOT_IN_CORE = ['setTimeout', 'setInterval', 'setImmediate', 'performance', 'process', 'globalThis'];

/** Imports that go up, or to a package that is not for them. `dependencies` are those of package.json. */
export function strayImports(sources: readonly Source[], dependencies: readonly string[]): readonly string[] {
  const paths = new Set(sources.map(({ path }) => path));
  return sources.flatMap(({ path, text }) =>
    importsOf({ path, text }).flatMap((each) => {
      const fault = each.specifier.startsWith('.')
        ? faultOfFile(path, each, paths)
        : faultOfPackage(path, each.specifier, dependencies);
      return fault === undefined ? [] : [`${path} imports ${each.specifier}: ${fault}`];
    }),
  );
}

/** Files that import each other in a circle, types included. */
export function cycles(sources: readonly Source[]): readonly string[] {
  const graph = new Map(sources.map((source) => [source.path, filesOf(source)]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] => {
    const at = trail.indexOf(path);
    if (at !== -1) return [[...trail.slice(at), path].join(' → ')];
    if (done.has(path)) return [];
    const found = (graph.get(path) ?? []).flatMap((next) => visit(next, [...trail, path]));
    done.add(path);
    return found;
  };
  return [...graph.keys()].sort().flatMap((path) => visit(path, []));
}

/** Timers, clocks and the process, where core takes them out of the air. */
export function strayGlobals(sources: readonly Source[]): readonly string[] {
  return sources
    .filter(({ path }) => layerOf(path) === 'core')
    .flatMap((source) => collect(source, globalOf).map((name) => `${source.path} uses ${name}`));
}

/** Files and folders that have grown too large. */
export function oversized(sources: readonly Source[]): readonly string[] {
  const filesIn = new Map<string, number>();
  for (const { path } of sources) {
    const folder = posix.dirname(path);
    filesIn.set(folder, (filesIn.get(folder) ?? 0) + 1);
  }
  const sizes = sources.map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }));
  return [
    ...sizes.filter(({ lines }) => lines > MAX_LINES).map(({ path, lines }) => `${path} has ${lines} lines`),
    ...[...filesIn]
      .filter(([, count]) => count > MAX_FILES)
      .map(([path, count]) => `${path} has ${count} files`),
  ];
}

function layerOf(path: string): string {
  const [folder = '', ...rest] = path.split('/');
  if (path === 'cli.ts') return CLI;
  return rest.length === 0 ? 'entry' : folder;
}

function faultOfFile(from: string, { specifier, typeOnly }: Import, paths: Set<string>): string | undefined {
  const to = target(from, specifier);
  if (!paths.has(to)) return 'there is no such file in src/';
  const [upper, lower] = [layerOf(from), layerOf(to)];
  if (upper === lower) return undefined;
  if (upper === CLI && lower === CLIENT) return undefined; // it connects as anybody would
  if (upper === CLIENT) return faultOfClient(to, lower, typeOnly);
  const [high, low] = [LAYERS.indexOf(upper), LAYERS.indexOf(lower)];
  if (high === -1 || low === -1) return `${high === -1 ? upper : lower} is not below or above anything`;
  return low > high ? `${lower} is above ${upper}` : undefined;
}

function faultOfClient(to: string, lower: string, typeOnly: boolean): string | undefined {
  if (lower !== 'protocol') return 'the client imports from protocol only';
  return typeOnly || CLIENT_VALUES.includes(to) ? undefined : 'the client takes only types from there';
}

function faultOfPackage(
  from: string,
  specifier: string,
  dependencies: readonly string[],
): string | undefined {
  const layer = layerOf(from);
  const name = nameOf(specifier);
  if (from === CLIENT_IN_NODE && (name === 'ws' || name === 'node:')) return undefined;
  if (name !== 'node:' && !dependencies.includes(name)) return 'it is not a dependency';
  if (packagesFor(from, layer)?.includes(name) === false) return `${layer} may not`;
  const only = ONLY_UNDER.find(({ packages }) => packages.test(name));
  return only && !only.layers.includes(layer) ? `only ${only.layers.join(' and ')} may` : undefined;
}

function packagesFor(path: string, layer: string): readonly string[] | undefined {
  return BEYOND_THE_PROCESS.some((folder) => path.startsWith(folder)) ? PACKAGES_BEYOND : PACKAGES[layer];
}

/** `@scope/name/file` is of the package `@scope/name`. */
function nameOf(specifier: string): string {
  if (isBuiltin(specifier)) return 'node:';
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

function filesOf(source: Source): readonly string[] {
  return importsOf(source)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier }) => target(source.path, specifier));
}

/** The forbidden global that a node is. A member of that name is one that was handed in. */
function globalOf(node: ts.Node): string | undefined {
  if (isDateOfNow(node)) return 'the clock of Date';
  if (!ts.isIdentifier(node) || !NOT_IN_CORE.includes(node.text)) return undefined;
  const { parent } = node;
  const isMember =
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    ((ts.isPropertySignature(parent) || ts.isMethodSignature(parent)) && parent.name === node) ||
    ((ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent)) && parent.name === node);
  return isMember ? undefined : node.text;
}

/** `Date.now`, `Date()` and `new Date()` say what time it is; `new Date(ms)` does not. */
function isDateOfNow(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return isDate(node.expression) && node.name.text === 'now';
  if (ts.isNewExpression(node)) return isDate(node.expression) && (node.arguments ?? []).length === 0;
  return ts.isCallExpression(node) && isDate(node.expression);
}

function isDate(node: ts.Node): boolean {
  return ts.isIdentifier(node) && node.text === 'Date';
}
