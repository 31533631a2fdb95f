/** What the doctor looks at, in this order. */
export type Check = 'reach' | 'session' | 'upgrade' | 'sse' | 'idle';

/** Where something is to be changed: the program, and what belongs into its configuration. */
export type Fix = Readonly<Partial<Record<'you' | 'Earshot' | 'nginx' | 'Caddy' | 'HAProxy', string>>>;

/** What a check has found. */
export interface Finding {
  readonly check: Check;
  readonly outcome: 'ok' | 'warn' | 'fail';
  /** In one line. */
  readonly seen: string;
  readonly fix?: Fix;
}

const MAX_SEEN = 300;

export function ok(check: Check, seen: string): Finding {
  return { check, outcome: 'ok', seen: printable(seen) };
}

export function warn(check: Check, seen: string): Finding {
  return { check, outcome: 'warn', seen: printable(seen) };
}

export function fail(check: Check, seen: string, fix?: Fix): Finding {
  return { check, outcome: 'fail', seen: printable(seen), ...(fix && { fix }) };
}

/** As it is printed: one line, and the fix below it, indented. */
export function textOf({ check, outcome, seen, fix = {} }: Finding): string {
  const lines = Object.entries(fix).flatMap(([where, what]) => [
    `  ${where}:`,
    ...what.split('\n').map((line) => `    ${line}`),
  ]);
  return [`${outcome} ${check}: ${seen}`, ...lines, ''].join('\n');
}

/** What others say may be anything: one line of it, without what steers a terminal. */
export function printable(text: string): string {
  const line = text.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return line.length > MAX_SEEN ? `${line.slice(0, MAX_SEEN)}…` : line;
}
