import type { ErrorCode } from '../protocol/codes.js';
import type { CommandType } from '../protocol/commands.js';
import type { Carrier, Transport } from './carrier.js';
import type { Exceeded } from './quota/quota.js';

/** What the core reports of itself. Implementations never throw and never wait. */
export interface Telemetry {
  sessionBegan(transport: Transport): void;
  sessionEnded(carrier: Carrier): void;
  subscribed(transport: Transport): void;
  unsubscribed(transport: Transport): void;
  /** A subscription asked for a position and got everything after it, or not. */
  resumed(outcome: 'complete' | 'lost' | 'none'): void;
  /** A live subscription fell behind what its carrier takes and reads the log from now on. */
  fellBehind(): void;
  /** A position was no longer kept. */
  gap(reason: 'retention' | 'reset'): void;
  messagesIn(transport: Transport): void;
  messagesOut(transport: Transport, count: number): void;
  /** A command was answered; `outcome` is `ok` or the code of its error. */
  command(type: CommandType, outcome: 'ok' | ErrorCode, seconds: number): void;
  /** A frame that was no command. */
  fault(code: ErrorCode): void;
  /** Something went over a limit. */
  limited(exceeded: Exceeded): void;
}

/** What a line of the log is about. Never data, a token, or anything else that a peer has said. */
export interface LogContext {
  readonly session?: string | undefined;
  /** Where there is no session. */
  readonly request?: string | undefined;
  readonly channel?: string | undefined;
  readonly address?: string | undefined;
}

/** How the core speaks to whoever runs it. Implementations never throw and never wait. */
export interface Journal {
  /** Ours to mend: told once, with what it happened to. */
  error(error: unknown, context: LogContext): void;
  /** A peer's to mend: `cause` is one of few. What comes often is told at most once a minute for one cause. */
  refused(cause: string, context: LogContext): void;
  /** A session has begun or ended. */
  session(event: 'began' | 'ended', context: LogContext & { readonly cause?: string }): void;
}
