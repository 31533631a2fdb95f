import type { ErrorCode } from '../protocol/codes.js';
import { ERRORS } from '../protocol/codes.js';
import { decodeCommand } from '../protocol/decode.js';
import type { ErrorPush } from '../protocol/pushes.js';
import type { CommandContext, Requester } from './commands/context.js';
import { runRequest } from './commands/run.js';
import type { Identity } from './policy.js';
import type { LogError, Telemetry } from './telemetry.js';

/** Commands that came in one request, without a session. */
export class Request implements Requester {
  readonly id: string;
  readonly identity: Identity;
  readonly ended = false;
  readonly telemetry: Telemetry;
  readonly logError: LogError;
  readonly #context: CommandContext;
  #answer = '';

  constructor(
    context: CommandContext & { readonly telemetry: Telemetry; readonly logError: LogError },
    id: string,
    identity: Identity,
  ) {
    this.#context = context;
    this.id = id;
    this.identity = identity;
    this.telemetry = context.telemetry;
    this.logError = context.logError;
  }

  reply(text: string): void {
    this.#answer = text;
  }

  fail(code: ErrorCode, message: string, id?: number, details?: readonly string[]): void {
    const error: ErrorPush = {
      type: 'error',
      ...(id !== undefined && { id }),
      code,
      message,
      advice: ERRORS[code].advice,
      ...(details !== undefined && { details: [...details] }),
    };
    this.#answer = JSON.stringify(error);
  }

  /** Carries out one command, given as the text of its envelope, and returns the text of its answer. */
  async run(text: string): Promise<string> {
    const { maxFrameBytes, maxDataDepth } = this.#context.limits;
    if (text.length > maxFrameBytes) {
      this.fail('too_large', `a command has at most ${maxFrameBytes} characters`);
      return this.#answer;
    }
    const decoded = decodeCommand(text, maxDataDepth);
    if (decoded.ok) {
      if (decoded.command.type === 'publish') this.telemetry.messagesIn('http');
      await runRequest(this.#context, this, decoded);
    } else {
      const { code, message, id, details } = decoded.fault;
      this.telemetry.fault(code);
      this.fail(code, message, id, details);
    }
    return this.#answer;
  }
}
