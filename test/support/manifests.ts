import { join } from 'node:path';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';
import { ROOT } from './spawn.js';

/** What is handed to Kubernetes: any field may be there, until it was checked. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly [field: string]: unknown;
}

interface Model {
  validate(): void;
}
type ModelClass = new (data: Manifest) => Model;

/** Every document of a YAML text, read as Kubernetes reads it. Throws where it is no YAML or no list of objects. */
export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw fault;
    const manifest: unknown = document.toJS();
    if (!isManifest(manifest)) throw new Error(`no manifest: ${String(document)}`);
    return manifest;
  });
}

function isManifest(value: unknown): value is Manifest {
  const fields = ['apiVersion', 'kind'];
  return (
    typeof value === 'object' &&
    value !== null &&
    fields.every((field) => typeof Reflect.get(value, field) === 'string')
  );
}

/** What the schemas of Kubernetes have against a manifest: what is missing, and what is not of its type or format. */
export async function schemaFaults(manifest: Manifest): Promise<readonly string[]> {
  const module: Readonly<Record<string, ModelClass>> = await import(packageOf(manifest));
  const KindOf = module[manifest.kind];
  if (KindOf === undefined) return [`${manifest.apiVersion} has no ${manifest.kind}`];
  try {
    new KindOf(manifest).validate();
    return [];
  } catch (error) {
    return [`${manifest.kind}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/**
 * Fields that Kubernetes does not know: its schemas let them pass, and an API server drops them with a warning. Its types,
 * held against the manifests as literals, don't.
 */
export function strayFields(manifests: readonly Manifest[]): readonly string[] {
  const path = join(ROOT, 'test/support/manifests-as-literals.mts'); // there is no such file: what it imports is found from here
  const text = manifests
    .flatMap((manifest, at) => [
      `import type { I${manifest.kind} as Kind${at} } from '${packageOf(manifest)}';`,
      `export const manifest${at}: Kind${at} = ${JSON.stringify(manifest)};`,
    ])
    .join('\n');
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (name) => (name === path ? text : readFile(name));
  host.fileExists = (name) => name === path || fileExists(name);
  const program = ts.createProgram([path], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

function packageOf({ apiVersion }: Manifest): string {
  return `kubernetes-models/${apiVersion}`;
}
