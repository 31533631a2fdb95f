import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** A file of the house; its path is from src/: `core/hub.ts`. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly specifier: string;
  /** Written `import type` or `export type`, or within a type: gone when compiled. */
  readonly typeOnly: boolean;
}

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** The sources as they are. */
export function readSources(): readonly Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(SRC + path, 'utf8') }));
}

/** Every import and re-export of a file, in order. */
export function importsOf(source: Source): readonly Import[] {
  return collect(source, (node) => {
    const specifier = specifierOf(node);
    return specifier && { specifier: specifier.text, typeOnly: isTypeOnly(node) };
  });
}

/** The file that a relative specifier means, from src/. */
export function target(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** What `find` gives for each node of a file. */
export function collect<Found>(source: Source, find: (node: ts.Node) => Found | undefined): readonly Found[] {
  const found: Found[] = [];
  const visit = (node: ts.Node) => {
    const each = find(node);
    if (each !== undefined) found.push(each);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ESNext, true));
  return found;
}

function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  const literal = specifierNode(node);
  return literal !== undefined && ts.isStringLiteralLike(literal) ? literal : undefined;
}

function specifierNode(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node))
    return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  const isDynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
  return isDynamic ? node.arguments[0] : undefined;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  return ts.isImportTypeNode(node) || (ts.isExportDeclaration(node) && node.isTypeOnly);
}
