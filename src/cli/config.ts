import { Command } from 'commander';
import type { InForce } from '../server/settings/in-force.js';
import { inForce } from '../server/settings/in-force.js';
import { fileSchema } from '../server/settings/schema.js';
import type { Flags } from '../server/settings/settings.js';
import { settingsFrom } from '../server/settings/settings.js';
import { settingFlags } from './flags.js';
import type { Io } from './io.js';
import { columns, print } from './io.js';

const HELP = `
Takes every flag of "earshot serve". Secrets are masked.

Examples:
  $ earshot config
  $ earshot config --json | jq .port
  $ earshot config --schema > earshot.config.schema.json`;

export function configCommand(io: Io): Command {
  return settingFlags(new Command('config'), { hidden: true })
    .description('prints what is in force: every setting, its value, and where that was said')
    .option('--json', 'as one object of JSON')
    .option('--schema', 'prints the JSON Schema of the file of settings instead')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      if (flags['schema'] === true) print(io, JSON.stringify(fileSchema(), null, 2));
      else print(io, printed(inForce(await settingsFrom(flags, io.env, io.cwd)), flags['json'] === true));
    });
}

function printed(settings: readonly InForce[], isJson: boolean): string {
  // The value stands last: it may be long.
  if (!isJson) return columns(settings.map(({ name, value, from }) => [name, from, textOf(value)]));
  const entries = settings.map(({ name, value, from }) => [name, { value, from }]);
  return JSON.stringify(Object.fromEntries(entries), null, 2);
}

function textOf(value: unknown): string {
  if (value === null) return '–';
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}
