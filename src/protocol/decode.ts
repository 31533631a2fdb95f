import type * as z from 'zod';
import type { ErrorCode } from './codes.js';
import { isErrorCode } from './codes.js';
import type { Command } from './commands.js';
import { command } from './commands.js';
import type { Span } from './json-text.js';
import { outlineJson } from './json-text.js';

/** What came out of a frame: a command and the text of its data, or what is wrong with it. */
export type Decoded =
  | { readonly ok: true; readonly command: Command; readonly dataText: string }
  | { readonly ok: false; readonly fault: Fault };

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  /** Of the command, where one could be read. */
  readonly id?: number;
  /** One line per fault, with its path. */
  readonly details?: readonly string[];
}

/** An envelope adds its own level to its data's. */
const ENVELOPE_DEPTH = 1;
const MAX_DETAILS = 10;

/** Bounds, parses and validates the text of one frame. Never throws, whatever the text. */
export function decodeCommand(text: string, maxDataDepth: number): Decoded {
  const outline = outlineJson(text);
  if (outline.depth > maxDataDepth + ENVELOPE_DEPTH) {
    const id = idIn(text, outline.id);
    return fault('bad_data', `the data is nested deeper than ${maxDataDepth} levels`, id);
  }
  const parsed = parse(text);
  if (parsed === undefined) return fault('bad_envelope', 'the frame is not JSON');
  const result = command.safeParse(parsed.value);
  const id = idIn(text, outline.id);
  if (!result.success) return schemaFault(result.error, id);
  if (result.data.type !== 'publish') return { ok: true, command: result.data, dataText: '' };
  if (outline.data === undefined) return fault('bad_envelope', 'publish has no data', id, ['data: required']);
  return { ok: true, command: result.data, dataText: text.slice(outline.data.start, outline.data.end) };
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function idIn(text: string, span: Span | undefined): number | undefined {
  if (span === undefined) return undefined;
  const id = Number(text.slice(span.start, span.end));
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}

function fault(code: ErrorCode, message: string, id?: number, details?: readonly string[]): Decoded {
  return {
    ok: false,
    fault: { code, message, ...(id !== undefined && { id }), ...(details && { details }) },
  };
}

function schemaFault(error: z.ZodError, id: number | undefined): Decoded {
  const { code, details } = describeFaults(error);
  return fault(code, details[0] ?? 'not an envelope', id, details);
}

/** What a schema has against a value: the code for it, and one line per fault with its path, not without end. */
export function describeFaults(error: z.ZodError): {
  readonly code: ErrorCode;
  readonly details: readonly string[];
} {
  return { code: codeOf(error.issues), details: error.issues.slice(0, MAX_DETAILS).map(describeIssue) };
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join('.') || 'envelope';
  if (issue.code === 'unrecognized_keys')
    return `${path}: unknown ${issue.keys.slice(0, 5).map(shorten).join(', ')}`;
  return `${path}: ${issue.message}`;
}

function shorten(key: string): string {
  return JSON.stringify(key.length > 40 ? `${key.slice(0, 40)}…` : key);
}

/** A rule with a code of its own speaks for the envelope only if nothing else is wrong. */
function codeOf(issues: readonly z.core.$ZodIssue[]): ErrorCode {
  const codes = new Set(
    issues.map((issue) => (issue.code === 'custom' ? String(issue.params?.['code']) : '')),
  );
  const [code = ''] = codes;
  return codes.size === 1 && isErrorCode(code) ? code : 'bad_envelope';
}
