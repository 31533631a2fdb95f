import { Writable } from 'node:stream';

/** A line of the log, as far as tests look at it. */
export interface LogLine {
  /** Of pino: 50 is an error. */
  readonly level: number;
  readonly msg: string;
  readonly err?: { readonly message: string; readonly stack: string };
}

const ERROR = 50;

/** A logger for `createApp` whose lines are kept. */
export function keptLog(level = 'info') {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  const text = () => chunks.join('');
  const lines = (): LogLine[] =>
    text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return {
    logger: { level, stream },
    text,
    lines,
    errors: () => lines().filter((line) => line.level >= ERROR),
  };
}
