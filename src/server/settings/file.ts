import { existsSync, readFileSync } from 'node:fs';
import { extname, isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { OptionsError } from '../options/options.js';

/** What a file of configuration holds, not yet checked. */
export interface ConfigFile {
  /** As `file earshot.config.json`; undefined where there is no file. */
  readonly from: string | undefined;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What is looked for in the working directory. */
export const FILE_NAMES = ['earshot.config.json', 'earshot.config.js', 'earshot.config.mjs'] as const;
const IMPORTED: readonly string[] = ['.js', '.mjs', '.cjs'];

/** The file that is named, or the one in the working directory. Throws an OptionsError in one line. */
export async function readConfig(named: string | undefined, cwd: string): Promise<ConfigFile> {
  const name = named === undefined || named === '' ? found(cwd) : named;
  if (name === undefined) return { from: undefined, values: {} };
  const path = isAbsolute(name) ? name : join(cwd, name);
  const isCode = IMPORTED.includes(extname(path));
  const values = isCode ? await imported(path, name) : parsed(read(path, name), name);
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new OptionsError(
      isCode
        ? `the configuration file ${name} has to export an object: export default { … }`
        : `the configuration file ${name} is not a JSON object`,
    );
  }
  return { from: `file ${name}`, values: { ...values } };
}

function found(cwd: string): string | undefined {
  const [first, second] = FILE_NAMES.filter((name) => existsSync(join(cwd, name)));
  if (second === undefined) return first;
  throw new OptionsError(`${first} and ${second} are both here: name one with --config`);
}

function read(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw unreadable(name, error);
  }
}

/** What the parser says would show some of the text, in which there may be secrets: only the place is told. */
function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [, position] = /position (\d+)/.exec(String(error)) ?? [];
    const before = text.slice(0, Number(position)).split('\n');
    const place =
      position === undefined ? '' : ` (line ${before.length}, column ${(before.at(-1) ?? '').length + 1})`;
    throw new OptionsError(`the configuration file ${name} can't be read: it is not JSON${place}`);
  }
}

async function imported(path: string, name: string): Promise<unknown> {
  try {
    const module: { readonly default?: unknown } = await import(pathToFileURL(path).href);
    return await module.default;
  } catch (error) {
    throw unreadable(name, error);
  }
}

function unreadable(name: string, cause: unknown): OptionsError {
  const [line = ''] = String(cause).split('\n');
  const error = new OptionsError(`the configuration file ${name} can't be read: ${line}`);
  error.cause = cause;
  return error;
}
