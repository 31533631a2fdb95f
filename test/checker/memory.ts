import { readFileSync } from 'node:fs';

/** What a process takes of memory at a moment. */
export interface Sample {
  readonly pid: number;
  readonly atMs: number;
  /** Resident: with the pages of the store's file that are mapped just now. */
  readonly rssBytes: number;
  /** Without those: the process's own. */
  readonly anonymousBytes: number;
}

const EVERY_MS = 1000;
const HOUR_MS = 3_600_000;
const MIB = 1_048_576;

/** Looks at a process once a second, and at its successor. Linux only: elsewhere it sees nothing. */
export class Memory {
  readonly samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: () => number) {
    this.#timer = setInterval(() => {
      const sample = sampleOf(pid());
      if (sample !== undefined) this.samples.push(sample);
    }, EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Of the last process, after the first third of its life. */
  text(): string {
    const life = lastLife(this.samples);
    const [first, last] = [life[0], life.at(-1)];
    if (first === undefined || last === undefined) return 'memory: not measured on this system';
    const minutes = ((last.atMs - first.atMs) / 60_000).toFixed(1);
    const slopes = (['rssBytes', 'anonymousBytes'] as const).map((name) => {
      const perHour = slopePerHour(life.map((sample) => [sample.atMs, sample[name]])) / MIB;
      return `${name.replace('Bytes', '')} ${mib(first[name])} → ${mib(last[name])} MiB, ${perHour.toFixed(1)} MiB/h`;
    });
    return `memory over ${minutes} min after warm-up: ${slopes.join('; ')}`;
  }
}

/** Of the process that lived last, the samples after the first third of its life. */
export function lastLife(samples: readonly Sample[]): readonly Sample[] {
  const life = samples.filter(({ pid }) => pid === samples.at(-1)?.pid);
  return life.slice(Math.floor(life.length / 3));
}

/** By least squares; 0 for fewer than two points. */
export function slopePerHour(points: readonly (readonly [atMs: number, value: number])[]): number {
  const meanMs = points.reduce((sum, [atMs]) => sum + atMs, 0) / points.length;
  const mean = points.reduce((sum, [, value]) => sum + value, 0) / points.length;
  const both = points.reduce((sum, [atMs, value]) => sum + (atMs - meanMs) * (value - mean), 0);
  const square = points.reduce((sum, [atMs]) => sum + (atMs - meanMs) ** 2, 0);
  return square === 0 ? 0 : (both / square) * HOUR_MS;
}

/** Undefined where there is no such process just now, or no way to look at it. */
function sampleOf(pid: number): Sample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
    const sample = {
      pid,
      atMs: performance.now(),
      rssBytes: bytes('VmRSS'),
      anonymousBytes: bytes('RssAnon'),
    };
    return Number.isNaN(sample.rssBytes) ? undefined : sample;
  } catch {
    return undefined; // it was killed, or this is no Linux
  }
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
