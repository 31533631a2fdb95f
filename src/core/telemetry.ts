import type { ErrorCode } from '../protocol/codes.js';
import type { CommandType } from '../protocol/commands.js';
import type { Carrier, Transport } from './carrier.js';

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
}

/** Ours to mend: told once, with what it happened to. */
export type LogError = (
  error: unknown,
  context: { readonly session?: string; readonly channel?: string },
) => void;
