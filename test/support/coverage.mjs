import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './process.mjs';

/** For each folder that has a floor in package.json: the share of its lines that the last run covered. */
export function coverageOf(floors) {
  const summary = JSON.parse(readFileSync(join(ROOT, '.tap/report/coverage-summary.json'), 'utf8'));
  return Object.entries(floors).map(([folder, floor]) => {
    const lines = sourcesOf(folder).map((file) => summary[file]?.lines ?? unloaded(file));
    const total = sum(lines.map((row) => row.total));
    const percent = total === 0 ? 100 : (100 * sum(lines.map((row) => row.covered))) / total;
    return { folder, floor, percent, ok: percent >= floor };
  });
}

function sourcesOf(folder) {
  return readdirSync(join(ROOT, folder), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(ROOT, folder, name));
}

/** A file that no test loads is not covered at all, unless nothing but types is in it. */
function unloaded(file) {
  const built = join(ROOT, 'dist', file.slice(join(ROOT, 'src').length)).replace(/\.ts$/, '.js');
  const code = existsSync(built)
    ? readFileSync(built, 'utf8').replace(/^(?:export \{\};|\/\/.*)$/gm, '')
    : '';
  return { total: code.trim() === '' ? 0 : readFileSync(file, 'utf8').split('\n').length, covered: 0 };
}

function sum(numbers) {
  return numbers.reduce((left, right) => left + right, 0);
}
