/** What a command has found out: a line on stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** As JSON, a line each. What is left of control characters is escaped: it may come from anybody, and a terminal obeys them. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value).replace(/\p{Cc}/gu, escaped));
}

/** Words for whoever watches: a line on stderr. */
export function say(line: string): void {
  process.stderr.write(`earshot: ${line.replace(/\p{Cc}+/gu, ' ')}\n`);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Nobody reads stdout any more, as after `| head -1`: there is nothing left to do, and nothing has failed. */
export function endWithTheReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}

/** Lines in columns, two blanks between them. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
    )
    .join('\n');
}
