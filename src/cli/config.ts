import { Command } from 'commander';
import type { InForce } from '../server/settings/in-force.js';
import { inForce } from '../server/settings/in-force.js';
import { fileSchema } from '../server/settings/schema.js';
import type { Flags } from '../server/settings/settings.js';
import { settingsFrom } from '../server/settings/settings.js';
import { settingFlags } from './flags.js';
import { columns, print } from './output.js';

const HELP = `
Takes every flag of "earshot serve". Secrets are masked.

Examples:
  $ earshot config
  $ earshot config --json | jq .port
  $ earshot config --schema > earshot.config.schema.json`;

export function configCommand(): Command {
  return settingFlags(new Command('config'), { hidden: true })
    .description('prints what is in force: every setting, its value, and where that was said')
    .option('--json', 'as one object of JSON')
    .option('--schema', 'prints the JSON Schema of the file of settings instead')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      if (flags['schema'] === true) print(JSON.stringify(fileSchema(), null, 2));
      else printSettings(inForce(await settingsFrom(flags, process.env)), flags['json'] === true);
    });
}

function printSettings(settings: readonly InForce[], isJson: boolean): void {
  if (isJson) {
    const entries = settings.map(({ name, value, from }) => [name, { value, from }]);
    print(JSON.stringify(Object.fromEntries(entries), null, 2));
  } else print(columns(settings.map(({ name, value, from }) => [name, textOf(value), from])));
}

function textOf(value: unknown): string {
  if (value === null) return '–';
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}
