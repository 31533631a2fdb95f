import type { Setting } from '../../src/server/settings/catalog.js';

export interface ErrorMeaning {
  readonly status: number;
  readonly advice: string;
  readonly meaning: string;
}

export interface Close {
  readonly code: number;
  readonly advice: string;
}

export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** A fenced block: what it is written in, the words after that, and the text within. */
export interface Block {
  readonly language: string;
  readonly info: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

/** What stands between `<!-- name -->` and `<!-- /name -->`. Throws where there is no such place. */
export function generated(text: string, name: string): string {
  const { before, after } = placeOf(text, name);
  return text.slice(before, after).trim();
}

/** The document with something else in that place. */
export function withGenerated(text: string, name: string, content: string): string {
  const { before, after } = placeOf(text, name);
  return `${text.slice(0, before)}\n${content}\n${text.slice(after)}`;
}

function placeOf(text: string, name: string): { before: number; after: number } {
  const opening = `<!-- ${name} -->`;
  const before = text.indexOf(opening);
  const after = text.indexOf(`<!-- /${name} -->`);
  if (before === -1 || after < before) throw new Error(`there is no place for ${name}`);
  return { before: before + opening.length, after };
}

/** A row for each setting: how a flag and a variable say it, its default as it would be written in the file, its meaning. */
export function settingsTable(settings: readonly Setting[]): string {
  const rows = settings.map(({ name, flag, variables, meaning, kind, isRequired, schema }) => [
    code(name),
    flag === undefined ? '' : code(schema.default === true ? flag.replace('--', '--no-') : flag),
    variables.map(code).join(', '),
    initialOf(name, { kind, isRequired, schema }),
    prose(meaning),
  ]);
  return table(['setting', 'flag', 'variable', 'default', 'meaning'], rows);
}

export function codesTable(errors: Readonly<Record<string, ErrorMeaning>>): string {
  const rows = Object.entries(errors).map(([name, { status, advice, meaning }]) => [
    code(name),
    String(status),
    code(advice),
    prose(meaning),
  ]);
  return table(['code', 'HTTP', 'advice', 'meaning'], rows);
}

export function closesTable(
  closes: Readonly<Record<string, Close>>,
  meanings: Readonly<Record<string, string>>,
): string {
  const rows = Object.entries(closes).map(([name, row]) => [
    String(row.code),
    code(row.advice),
    prose(meanings[name] ?? ''),
  ]);
  return table(['close', 'advice', 'meaning'], rows);
}

export function metricsTable(metrics: readonly Metric[]): string {
  const rows = metrics.map(({ name, type, labels, help }) => [
    code(name),
    type,
    labels.map(code).join(', '),
    prose(help),
  ]);
  return table(['metric', 'type', 'labels', 'meaning'], rows);
}

/** Every metric that a scrape tells of, by its HELP and TYPE; its labels are asked for by name. */
export function metricsOf(scrape: string, labelsOf: (name: string) => readonly string[]): readonly Metric[] {
  const types = new Map([...scrape.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  return [...scrape.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => ({
    name,
    help,
    type: types.get(name) ?? '',
    labels: labelsOf(name),
  }));
}

/** Every fenced block of a Markdown text. */
export function blocksOf(markdown: string): readonly Block[] {
  const fences = /^```(\S*)[^\S\n]*(.*)\n([\s\S]*?)^```$/gm;
  return [...markdown.matchAll(fences)].map(({ 1: language = '', 2: info = '', 3: text = '', index }) => ({
    language,
    info: info.trim(),
    text,
    line: markdown.slice(0, index).split('\n').length,
  }));
}

/** What a Markdown text links to, in the order of the text. */
export function linksOf(markdown: string): readonly string[] {
  return [...markdown.matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = '']) => target);
}

/** A default as it is written, and where it is a long number also as one reads it. */
function initialOf(
  name: string,
  { kind, isRequired, schema }: Pick<Setting, 'kind' | 'isRequired' | 'schema'>,
): string {
  if (kind === 'group' || schema.properties !== undefined) return '';
  const value = schema.default;
  if (value === undefined) return isRequired ? 'required' : '–';
  const read = typeof value === 'number' ? readable(name, value) : undefined;
  return read === undefined ? code(JSON.stringify(value)) : `${code(JSON.stringify(value))} (${read})`;
}

/** Every number carries its unit at the end of its name. */
function readable(name: string, value: number): string | undefined {
  if (/bytes$/i.test(name)) return inUnits(value, [1, 1024, 1024 ** 2], ['B', 'KiB', 'MiB']);
  if (/Ms$/.test(name)) return inUnits(value, [1, 1000, 60_000, 3_600_000], ['ms', 's', 'min', 'h']);
  return value < 10_000 ? undefined : value.toLocaleString('en');
}

/** In the largest unit of which there is at least one. */
function inUnits(value: number, sizes: readonly number[], units: readonly string[]): string | undefined {
  const at = sizes.findLastIndex((size) => value >= size);
  return at <= 0 ? undefined : `${value / (sizes[at] ?? 1)} ${units[at]}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

/** A text in which nothing means anything to Markdown. */
function prose(text: string): string {
  return text.replace(/[|*_<>]/g, '\\$&');
}
