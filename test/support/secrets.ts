import { Artifact } from './artifact.js';
import { MIN_SECRET_LENGTH } from './leaks.mjs';

const BEARER = 'earshot.bearer.';
/** Options and variables of the environment whose texts nobody may see. */
const SECRET_NAME = /secret|password|^key$|_key$/i;

const noted = new Set<string>();
const secrets = new Artifact('secrets');

/**
 * A text that no log may hold: tokens, keys, cookies, what is published. Gives it back. Throws for one that is too
 * short to be told from anything else.
 */
export function secret(text: string): string {
  if (text.length < MIN_SECRET_LENGTH) {
    throw new Error(`"${text}" is no secret to look for: at least ${MIN_SECRET_LENGTH} characters`);
  }
  noteToken(text);
  return text;
}

/** Notes what a request carries to prove who it is. What is too short is none. */
export function noteRequest(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  protocols: readonly string[] = [],
  url = '',
): void {
  const { authorization, cookie } = headers;
  for (const value of [authorization ?? []].flat()) noteToken(value.split(' ').at(-1) ?? '');
  for (const pair of [cookie ?? []].flat().join(';').split(';'))
    noteToken(pair.slice(pair.indexOf('=') + 1).trim());
  for (const value of protocols) {
    if (value.startsWith(BEARER)) noteToken(Buffer.from(value.slice(BEARER.length), 'base64url').toString());
  }
  const query = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  noteToken(query.get('token') ?? '');
}

/** Notes every text in options, or in an environment, that is a secret by its name. */
export function noteSettings(settings: unknown, isSecret = false): void {
  if (typeof settings === 'string' && isSecret) noteToken(settings);
  if (typeof settings !== 'object' || settings === null) return;
  for (const [name, value] of Object.entries(settings)) {
    noteSettings(value, Array.isArray(settings) ? isSecret : SECRET_NAME.test(name));
  }
}

/** Notes a token, good or bad; what is too short to be looked for is left out. */
export function noteToken(text: string): void {
  if (text.length < MIN_SECRET_LENGTH || noted.has(text)) return;
  noted.add(text);
  secrets.add(`${JSON.stringify(text)}\n`);
}
