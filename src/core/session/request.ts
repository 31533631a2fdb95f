import type { ErrorCode } from '../../protocol/codes.js';
import { decodeCommand } from '../../protocol/decode.js';
import { errorPush } from '../../protocol/encode.js';
import type { CommandContext, Requester } from '../commands/context.js';
import { callerOf } from '../commands/context.js';
import { runRequest } from '../commands/run.js';
import type { Actor } from '../hooks.js';
import type { Identity } from '../policy/policy.js';
import { describeLimit, takeCommand, takeMore } from '../quota/meter.js';
import type { Exceeded } from '../quota/quota.js';
import type { Journal, Telemetry } from '../telemetry.js';
import type { Sessions } from './sessions.js';

type RequestContext = CommandContext & {
  readonly sessions: Sessions;
  readonly telemetry: Telemetry;
  readonly journal: Journal;
};

/** Carries out a command that came without a session, as the text of an envelope; gives the text of its answer. */
export async function request(
  context: RequestContext,
  id: string,
  identity: Identity,
  address: string,
  text: string,
): Promise<string> {
  const requester = new OneRequest(context, id, identity, address);
  const { maxFrameBytes, maxDataDepth } = context.limits;
  const exceeded = exceededBy(context, requester, text.length);
  if (exceeded !== undefined) return requester.limited(exceeded);
  if (text.length > maxFrameBytes) {
    requester.fail('too_large', `a command has at most ${maxFrameBytes} characters`);
    return requester.answer;
  }
  const decoded = decodeCommand(text, maxDataDepth);
  if (decoded.ok) {
    const tooMany = takeMore(
      context.sessions.quotas(identity.user, address),
      context.uptimeMs(),
      decoded.command.type,
    );
    if (tooMany !== undefined) return requester.limited(tooMany, decoded.command.id);
    if (decoded.command.type === 'publish') context.telemetry.messagesIn('http');
    await runRequest(context, requester, decoded);
  } else {
    const { code, message, id, details } = decoded.fault;
    context.telemetry.fault(code);
    requester.fail(code, message, id, details);
  }
  return requester.answer;
}

/** Who has no session has the rate of one, and shares those of its user and its address. */
function exceededBy(context: RequestContext, { actor }: Requester, bytes: number): Exceeded | undefined {
  const { commandsPerSecond, commandBurst } = context.limits;
  const now = context.uptimeMs();
  if (!context.rates.take(callerOf(actor), now, commandsPerSecond, commandBurst)) {
    return { limit: 'commands', scope: actor.caller.user === null ? 'address' : 'user' };
  }
  return takeCommand(context.sessions.quotas(actor.caller.user, actor.address), now, bytes);
}

class OneRequest implements Requester {
  readonly id: string;
  readonly identity: Identity;
  readonly ended = false;
  readonly telemetry: Telemetry;
  readonly journal: Journal;
  readonly actor: Actor;
  answer = '';

  constructor({ telemetry, journal }: RequestContext, id: string, identity: Identity, address: string) {
    this.id = id;
    this.identity = identity;
    this.telemetry = telemetry;
    this.journal = journal;
    this.actor = { caller: identity, session: undefined, address };
  }

  reply(text: string): void {
    this.answer = text;
  }

  limited(exceeded: Exceeded, id?: number): string {
    this.telemetry.fault('rate_limited');
    this.telemetry.limited(exceeded);
    this.journal.refused(`${exceeded.limit} of one ${exceeded.scope}`, this.actor);
    this.fail('rate_limited', describeLimit(exceeded), id);
    return this.answer;
  }

  fail(code: ErrorCode, message: string, id?: number, details?: readonly string[]): void {
    this.answer = JSON.stringify(errorPush(code, message, id, details));
  }
}
