// `npm run bench:scaling`: what a million readers take, computed from what has been measured. See README.md beside this file.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { backoffMs } from '../dist/client/backoff.js';
import { planTurns } from '../dist/server/drain.js';
import { tablesOf } from './scaling/tables.mjs';

const { values } = parseArgs({ options: { costs: { type: 'string' } } });
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const costs = read(values.costs ?? new URL('scaling/costs.json', import.meta.url));
for (const [name, text] of Object.entries(tablesOf({ costs, backoffMs, planTurns })))
  console.log(`## ${name}\n\n${text}\n`);
