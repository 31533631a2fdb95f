import type { BearerFlags } from '../bearer.js';
import { CommandError } from '../failure.js';

/** What the command line gives. */
export interface DoctorFlags extends BearerFlags {
  readonly origin?: string;
  readonly path: string;
  readonly idleSeconds?: string;
  readonly json?: boolean;
}

/** What the doctor examines, and as whom. */
export interface Target {
  /** The address of the server, its prefix included, without a slash at the end. */
  readonly base: string;
  readonly wsUrl: string;
  readonly token: string | undefined;
  readonly origin: string | undefined;
  /** How long to be silent, in ms; undefined: as long as the server's pings ask for; 0: not at all. */
  readonly idleMs: number | undefined;
  /** For each step, in ms. */
  readonly timeoutMs: number;
}

/** The longest silence that the server can be asked for. */
export const MAX_IDLE_MS = 120_000;

const TIMEOUT_MS = 10_000;
const SCHEMES: Readonly<Record<string, string>> = {
  'http:': 'http:',
  'https:': 'https:',
  'ws:': 'http:',
  'wss:': 'https:',
};
/** What may stand in a header. */
const VISIBLE = /^[\x21-\x7e]+$/;

/** Throws a CommandError for what was typed wrong. */
export function targetFrom(address: string, flags: DoctorFlags, token: string | undefined): Target {
  const { path } = flags;
  if (!/^\/[\x21-\x7e]+$/.test(path) || /[?#]/.test(path)) {
    throw CommandError.wrong(`--path is the path of the WebSocket, such as /ws: ${path}`);
  }
  const base = baseOf(address, path);
  return {
    base,
    wsUrl: base.replace(/^http/, 'ws') + path,
    token: visible('the token', token),
    origin: visible('--origin', flags.origin),
    idleMs: idleMsOf(flags.idleSeconds),
    timeoutMs: TIMEOUT_MS,
  };
}

/** What a caller of this target sends along. */
export function headersOf({ token, origin }: Target): Record<string, string> {
  return {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(origin !== undefined && { origin }),
  };
}

function baseOf(address: string, path: string): string {
  if (!URL.canParse(address)) throw CommandError.wrong(`this is no address: ${address}`);
  const url = new URL(address);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined)
    throw CommandError.wrong(`the address begins with http, https, ws or wss: ${address}`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw CommandError.wrong('the address is host, port and prefix alone: the token goes into --token-file');
  }
  const isWebSocket = scheme !== url.protocol;
  const prefix = url.pathname.replace(/\/+$/, '');
  return `${scheme}//${url.host}${isWebSocket && prefix.endsWith(path) ? prefix.slice(0, -path.length) : prefix}`;
}

function visible(what: string, value: string | undefined): string | undefined {
  if (value === undefined || VISIBLE.test(value)) return value;
  throw CommandError.wrong(`${what} is empty, or has what no header may have`);
}

function idleMsOf(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  const idleMs = /^\d+(\.\d+)?$/.test(seconds) ? Math.round(Number(seconds) * 1000) : Number.NaN;
  if (idleMs <= MAX_IDLE_MS) return idleMs;
  throw CommandError.wrong(`--idle-seconds is a number, 0 to ${MAX_IDLE_MS / 1000}: ${seconds}`);
}
