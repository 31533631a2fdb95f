import { CommanderError } from 'commander';
import { EarshotError } from '../client/errors.js';
import { Refused } from '../protocol/refused.js';
import { OptionsError } from '../server/options/options.js';
import { ListenError } from '../server/process/run.js';
import { WorkerFailed } from '../server/workers/worker-process.js';
import { FolderFault } from '../store/lmdb/folder/fault.js';
import { RedisFault } from '../store/redis/link/fault.js';
import { AcceleratorError } from '../transport/websocket/accelerator.js';

/** What could not be had: exit 1. */
const NOT_HAD = 1;
/** What was set or typed wrong: exit 2. */
const WRONG = 2;

/** Told in a line that says it all. */
const NEEDED = [ListenError, FolderFault, RedisFault, AcceleratorError];

/** A command that can't do what it should, told in one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  private constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }

  /** Something was typed wrong: exit 2. */
  static wrong(message: string): CommandError {
    return new CommandError(WRONG, message);
  }

  /** Something could not be had: exit 1. */
  static notHad(message: string): CommandError {
    return new CommandError(NOT_HAD, message);
  }
}

/** What is said on stderr, and the exit code. The parser of the command line has spoken already: nothing is said again. */
export function failure(error: unknown): { readonly line: string; readonly exitCode: number } {
  if (error instanceof CommanderError) return { line: '', exitCode: error.exitCode === 0 ? 0 : WRONG };
  if (error instanceof CommandError) return { line: error.message, exitCode: error.exitCode };
  if (error instanceof OptionsError) return { line: oneLine(error.message), exitCode: WRONG };
  if (error instanceof WorkerFailed) return { line: error.message, exitCode: error.exitCode };
  if (NEEDED.some((kind) => error instanceof kind))
    return { line: oneLine(String(error instanceof Error && error.message)), exitCode: NOT_HAD };
  if (error instanceof EarshotError || error instanceof Refused) {
    const details = 'details' in error && Array.isArray(error.details) ? error.details : [];
    const faults = details.length === 0 ? [error.message] : details; // the message is the first of them
    return { line: oneLine(`${error.code}: ${faults.join('; ')}`), exitCode: NOT_HAD };
  }
  return { line: `${oneLine(String(error))} (--verbose says where)`, exitCode: NOT_HAD };
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}
