import { type Command, Option } from 'commander';
import type { Setting } from '../server/settings/catalog.js';
import { leaves } from '../server/settings/catalog.js';
import { FILE_NAMES } from '../server/settings/file.js';

/** Those that people need first stand first. */
const FIRST = [
  'dev',
  'allowPublicDev',
  'host',
  'port',
  'origins',
  'anonymous',
  'plainChannel',
  'prefix',
  'path',
  'workers',
  'logLevel',
  'logFormat',
];
const HEADINGS: Readonly<Record<string, string>> = {
  tls: 'TLS:',
  token: 'Tokens:',
  limits: 'Limits:',
  retention: 'Retention:',
  perMessageDeflate: 'Compression:',
};

/** Gives a command the flags of every setting that a text can say. `hidden`: they work, but its help names only two. */
export function settingFlags(command: Command, { hidden = false } = {}): Command {
  const settings = leaves().filter(({ flag }) => flag !== undefined);
  const rank = ({ name }: Setting) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  command.addOption(
    new Option(
      '--config <file>',
      `the file of settings (env EARSHOT_CONFIG; default: ${FILE_NAMES.join(', ')} of this folder)`,
    ),
  );
  for (const setting of settings.toSorted((a, b) => rank(a) - rank(b))) {
    for (const option of optionsOf(setting)) {
      command.addOption(hidden && setting.name !== 'dev' ? option.hideHelp() : option);
    }
  }
  return command.addOption(new Option('--origin <origins...>', 'the same as --origins').hideHelp());
}

/** A boolean has two flags, the one that changes something is shown. */
function optionsOf(setting: Setting): readonly Option[] {
  const { flag = '', kind, choices, canBeOff } = setting;
  const off = flag.replace('--', '--no-');
  if (kind === 'boolean') {
    const isOn = setting.schema.default === true;
    return [described(new Option(flag), setting, isOn), described(new Option(off), setting, !isOn)];
  }
  const many = kind === 'list' || kind === 'texts' ? '...' : '';
  const option = described(new Option(`${flag} <${wordFor(setting)}${many}>`), setting);
  if (choices !== undefined) option.choices([...choices]);
  return canBeOff ? [option, described(new Option(off), setting, true)] : [option];
}

function described(option: Option, setting: Setting, hidden = false): Option {
  const { name, path, meaning, variables, schema } = setting;
  const [variable = ''] = variables.toReversed();
  const isPlain = isNothing(schema.default);
  const initial = isPlain ? '' : `; default ${[schema.default].flat().map(String).join(', ')}`;
  option.description = `${option.negate ? 'off: ' : ''}${meaning} (env ${variable}${initial})`;
  if (!FIRST.includes(name)) option.helpGroup(HEADINGS[path[0] ?? ''] ?? 'More:');
  return hidden ? option.hideHelp() : option;
}

function isNothing(value: unknown): boolean {
  return (
    value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0)
  );
}

/** The last word of the name says what is meant: `ms`, `bytes`, `channel`. */
function wordFor({ path }: Setting): string {
  return (
    (path.at(-1) ?? '')
      .split(/(?=[A-Z])/)
      .at(-1)
      ?.toLowerCase() ?? 'value'
  );
}
