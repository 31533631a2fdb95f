import type { ErrorCode } from '../../protocol/codes.js';
import type { Command } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import type { Job, Release } from '../session/inbox.js';
import type { Session } from '../session/session.js';
import type { LogContext } from '../telemetry.js';
import { authenticate } from './authenticate.js';
import type { CommandContext, Requester } from './context.js';
import { history } from './history.js';
import { presence } from './presence.js';
import { publish } from './publish.js';
import { subscribe } from './subscribe.js';
import { unsubscribe } from './unsubscribe.js';

/** Carries out a command of a session and answers it, whatever happens. Never rejects. */
export function runCommand(
  context: CommandContext,
  session: Session,
  job: Job,
  release: Release,
): Promise<void> {
  if (session.ended) return Promise.resolve();
  return answer(context, session, job.command, () => ofSession(context, session, job, release));
}

/** Carries out a command that needs no session, and answers it, whatever happens. Never rejects. */
export function runRequest(context: CommandContext, requester: Requester, job: Job): Promise<void> {
  return answer(context, requester, job.command, () => ofAnyone(context, requester, job, () => {}));
}

async function answer(
  context: CommandContext,
  requester: Requester,
  command: Command,
  work: () => Promise<void>,
): Promise<void> {
  const { type, id } = command;
  const beganAt = context.uptimeMs();
  let outcome: 'ok' | ErrorCode = 'ok';
  try {
    await work();
  } catch (error) {
    outcome = error instanceof Refused ? error.code : 'internal';
    const about = logContextOf(requester);
    if (error instanceof Refused) {
      requester.journal.refused(`${type}: ${error.code}`, about);
      requester.fail(error.code, error.message, id, error.details);
    } else {
      const channel = 'channel' in command ? command.channel : undefined;
      requester.journal.error(error, { ...about, channel });
      requester.fail('internal', 'the server failed', id);
    }
  }
  requester.telemetry.command(type, outcome, (context.uptimeMs() - beganAt) / 1000);
}

function ofSession(context: CommandContext, session: Session, job: Job, release: Release): Promise<void> {
  const { command } = job;
  switch (command.type) {
    case 'subscribe':
      return subscribe(context, session, command);
    case 'unsubscribe':
      return unsubscribe(session, command);
    case 'authenticate':
      return authenticate(context, session, command);
    case 'ping':
      return ping(session, command.id);
    default:
      return ofAnyone(context, session, job, release);
  }
}

function ofAnyone(
  context: CommandContext,
  requester: Requester,
  { command, dataText }: Job,
  release: Release,
): Promise<void> {
  switch (command.type) {
    case 'publish':
      return publish(context, requester, command, dataText, release);
    case 'history':
      return history(context, requester, command);
    case 'presence':
      return presence(context, requester, command);
    default:
      throw new Refused('bad_envelope', `${command.type} needs a connection that stays`);
  }
}

async function ping(session: Session, id: number | undefined): Promise<void> {
  session.reply(id === undefined ? '{"type":"pong"}' : `{"type":"pong","id":${id}}`);
}

function logContextOf({ id, actor: { session, address } }: Requester): LogContext {
  return session === undefined ? { request: id, address } : { session, address };
}
