import type { ErrorCode } from '../../protocol/codes.js';
import type { Command } from '../../protocol/commands.js';
import { Refused } from '../../protocol/refused.js';
import type { Job, Release } from '../inbox.js';
import type { Session } from '../session.js';
import { authenticate } from './authenticate.js';
import type { CommandContext } from './context.js';
import { history } from './history.js';
import { presence } from './presence.js';
import { publish } from './publish.js';
import { subscribe } from './subscribe.js';
import { unsubscribe } from './unsubscribe.js';

/** Carries out one command and answers it, whatever happens. Never rejects. */
export async function runCommand(
  context: CommandContext,
  session: Session,
  job: Job,
  release: Release,
): Promise<void> {
  if (session.ended) return;
  const { type, id } = job.command;
  const beganAt = context.uptimeMs();
  let outcome: 'ok' | ErrorCode = 'ok';
  try {
    await dispatch(context, session, job, release);
  } catch (error) {
    outcome = error instanceof Refused ? error.code : 'internal';
    if (error instanceof Refused) {
      session.fail(error.code, error.message, id, error.details);
    } else {
      session.logError(error, { session: session.id });
      session.fail('internal', 'the server failed', id);
    }
  }
  session.telemetry.command(type, outcome, (context.uptimeMs() - beganAt) / 1000);
}

function dispatch(
  context: CommandContext,
  session: Session,
  { command, dataText }: Job,
  release: Release,
): Promise<void> {
  switch (command.type) {
    case 'subscribe':
      return subscribe(context, session, command);
    case 'unsubscribe':
      return unsubscribe(session, command);
    case 'publish':
      return publish(context, session, command, dataText, release);
    case 'history':
      return history(context, session, command);
    case 'presence':
      return presence(context, session, command);
    case 'authenticate':
      return authenticate(context, session, command);
    case 'ping':
      return ping(session, command.id);
    default:
      return unreachable(command);
  }
}

async function ping(session: Session, id: number | undefined): Promise<void> {
  session.reply(id === undefined ? '{"type":"pong"}' : `{"type":"pong","id":${id}}`);
}

function unreachable(command: never): never {
  throw new Error(`no handler for ${JSON.stringify(command satisfies Command)}`);
}
