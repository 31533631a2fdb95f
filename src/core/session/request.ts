import type { ErrorCode } from '../../protocol/codes.js';
import { decodeCommand } from '../../protocol/decode.js';
import { errorPush } from '../../protocol/encode.js';
import type { CommandContext, Requester } from '../commands/context.js';
import { runRequest } from '../commands/run.js';
import type { Identity } from '../policy/policy.js';
import type { LogError, Telemetry } from '../telemetry.js';
import type { Rates } from './rates.js';

type RequestContext = CommandContext & {
  readonly rates: Rates;
  readonly telemetry: Telemetry;
  readonly logError: LogError;
};

/**
 * Carries out a command that came without a session, as the text of an envelope; gives the text of its answer.
 * `caller` is whose rate it counts for.
 */
export async function request(
  context: RequestContext,
  id: string,
  identity: Identity,
  caller: string,
  text: string,
): Promise<string> {
  const requester = new OneRequest(context, id, identity);
  const { maxFrameBytes, maxDataDepth, commandsPerSecond, commandBurst } = context.limits;
  if (!context.rates.take(caller, context.uptimeMs(), commandsPerSecond, commandBurst)) {
    context.telemetry.fault('rate_limited');
    requester.fail('rate_limited', 'too many commands: wait and send this one again');
    return requester.answer;
  }
  if (text.length > maxFrameBytes) {
    requester.fail('too_large', `a command has at most ${maxFrameBytes} characters`);
    return requester.answer;
  }
  const decoded = decodeCommand(text, maxDataDepth);
  if (decoded.ok) {
    if (decoded.command.type === 'publish') context.telemetry.messagesIn('http');
    await runRequest(context, requester, decoded);
  } else {
    const { code, message, id, details } = decoded.fault;
    context.telemetry.fault(code);
    requester.fail(code, message, id, details);
  }
  return requester.answer;
}

class OneRequest implements Requester {
  readonly id: string;
  readonly identity: Identity;
  readonly ended = false;
  readonly telemetry: Telemetry;
  readonly logError: LogError;
  answer = '';

  constructor({ telemetry, logError }: RequestContext, id: string, identity: Identity) {
    this.id = id;
    this.identity = identity;
    this.telemetry = telemetry;
    this.logError = logError;
  }

  reply(text: string): void {
    this.answer = text;
  }

  fail(code: ErrorCode, message: string, id?: number, details?: readonly string[]): void {
    this.answer = JSON.stringify(errorPush(code, message, id, details));
  }
}
