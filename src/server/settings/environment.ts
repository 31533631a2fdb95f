import { readFileSync } from 'node:fs';
import { didYouMean } from '../options/suggest.js';
import type { Setting } from './catalog.js';

/** The text that a variable says, by itself or through a file. */
export interface Variable {
  readonly text: string;
  /** As `env PORT`. */
  readonly from: string;
}

export interface Environment {
  readonly said: ReadonlyMap<Setting, Variable>;
  /** One line each. */
  readonly faults: readonly string[];
}

const PREFIX = 'EARSHOT_';
const FILE = '_FILE';
/** Ours, but no settings: the file, and the token of the commands that connect. */
const RESERVED = ['EARSHOT_CONFIG', 'EARSHOT_TOKEN', 'EARSHOT_TOKEN_FILE'];
const TESTS = /^EARSHOT_TEST_/;
/** What Kubernetes gives to every container beside a Service that is called earshot. */
const SERVICE_LINK = /^EARSHOT_(?:SERVICE_(?:HOST|PORT)(?:_|$)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$))/;
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/** What the environment says of the settings. A variable that is empty is as if it were not there. */
export function readEnvironment(settings: readonly Setting[], env: NodeJS.ProcessEnv): Environment {
  const said = new Map<Setting, Variable>();
  const faults = unknownVariables(settings, env);
  for (const setting of settings) {
    for (const name of setting.variables.toReversed()) {
      const found = variable(name, env);
      if (typeof found === 'string') faults.push(found);
      else if (found !== undefined) said.set(setting, found);
    }
  }
  return { said, faults };
}

/** A string is a fault. */
function variable(name: string, env: NodeJS.ProcessEnv): Variable | string | undefined {
  const text = env[name] ?? '';
  const file = name.startsWith(PREFIX) ? (env[name + FILE] ?? '') : '';
  if (name === 'EARSHOT_PORT' && SERVICE_ADDRESS.test(text)) return undefined;
  if (text !== '' && file !== '') return `${name} and ${name}${FILE} are both set: which one holds?`;
  if (file !== '') return fromFile(name + FILE, file);
  return text === '' ? undefined : { text, from: `env ${name}` };
}

function fromFile(name: string, file: string): Variable | string {
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    return text === '' ? `${name}: ${file} is empty` : { text, from: `env ${name}` };
  } catch (error) {
    return `${name}: ${file} can't be read (${codeOf(error)})`;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function unknownVariables(settings: readonly Setting[], env: NodeJS.ProcessEnv): string[] {
  const names = [
    ...settings.flatMap(({ variables }) => variables.filter((name) => name.startsWith(PREFIX))),
    ...RESERVED,
  ];
  const known = new Set(names.flatMap((name) => [name, name + FILE]));
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && env[name] !== '' && env[name] !== undefined)
    .filter((name) => !TESTS.test(name) && !SERVICE_LINK.test(name) && !isKnown(name, known))
    .map((name) => `${name}: there is no such setting${didYouMean(bare(name), names.map(bare), PREFIX)}`);
}

function bare(name: string): string {
  return name.slice(PREFIX.length);
}

function isKnown(name: string, known: ReadonlySet<string>): boolean {
  if (RESERVED.includes(name)) return true;
  return known.has(name) && !RESERVED.some((reserved) => name === reserved + FILE);
}
