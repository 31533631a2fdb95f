import { InvalidArgumentError } from 'commander';

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90s`, `15m`, `1h`, `7d` in ms; for the parser of the command line. */
export function durationMs(text: string): number {
  const [, count, unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  const ms = Number(count) * (unitMs ?? Number.NaN);
  if (ms > 0) return ms;
  throw new InvalidArgumentError('write it as 90s, 15m, 1h or 7d.');
}

/** A whole number from 1 on; for the parser of the command line. */
export function positive(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('it has to be a whole number from 1 on.');
}
