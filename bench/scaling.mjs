// `npm run bench:scaling`: what a million readers take, computed from what has been measured. See README.md beside this file.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { backoffMs } from '../dist/client/backoff.js';
import { planTurns } from '../dist/server/drain.js';
import { costsFrom } from './scaling/measured.mjs';
import { tablesOf } from './scaling/tables.mjs';

const COSTS = new URL('scaling/costs.json', import.meta.url);
const { values } = parseArgs({ options: { from: { type: 'string' } } });
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const costs = values.from === undefined ? read(COSTS) : costsFrom(read(COSTS), read(values.from).works);
if (values.from !== undefined) writeFileSync(COSTS, `${JSON.stringify(costs, null, 2)}\n`);
for (const [name, text] of Object.entries(tablesOf({ costs, backoffMs, planTurns })))
  console.log(`## ${name}\n\n${text}\n`);
