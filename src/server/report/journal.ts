import type { Journal, LogContext } from '../../core/telemetry.js';

/** Of Fastify's logger, what is needed. */
export interface Log {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  /** Where the logger can say it: what nobody will see need not be put together. */
  isLevelEnabled?(level: string): boolean;
}

interface Noted {
  readonly at: number;
  /** How many more of this cause there were since. */
  unsaid: number;
}

const SAID_EVERY_MS = 60_000;
/** There are few causes; should there be more, those beyond are not told. */
const MAX_CAUSES = 1000;

/** The journal in the log: JSON lines that carry the session, and nothing that a peer has said. */
export class LogJournal implements Journal {
  readonly #log: Log;
  readonly #uptimeMs: () => number;
  readonly #noted = new Map<string, Noted>();

  /** `uptimeMs` only ever grows. */
  constructor(log: Log, uptimeMs: () => number) {
    this.#log = log;
    this.#uptimeMs = uptimeMs;
  }

  error(error: unknown, context: LogContext): void {
    this.#log.error({ err: error, ...fieldsOf(context) }, 'earshot failed');
  }

  refused(cause: string, context: LogContext): void {
    const now = this.#uptimeMs();
    const noted = this.#noted.get(cause);
    if (noted !== undefined && now - noted.at < SAID_EVERY_MS) {
      noted.unsaid++;
      return;
    }
    if (noted === undefined && this.#noted.size >= MAX_CAUSES) return;
    this.#noted.set(cause, { at: now, unsaid: 0 });
    const unsaid = noted !== undefined && noted.unsaid > 0 ? { unsaidBefore: noted.unsaid } : {};
    this.#log.info({ cause, ...fieldsOf(context), ...unsaid }, 'refused');
  }

  session(event: 'began' | 'ended', context: LogContext & { readonly cause?: string }): void {
    if (this.#log.isLevelEnabled?.('debug') === false) return;
    const { cause } = context;
    this.#log.debug({ ...fieldsOf(context), ...(cause !== undefined && { cause }) }, `session ${event}`);
  }
}

/** These and no others, whatever else the object holds. */
function fieldsOf({ session, request, channel, address }: LogContext): LogContext {
  return {
    ...(session !== undefined && { session }),
    ...(request !== undefined && { request }),
    ...(channel !== undefined && { channel }),
    ...(address !== undefined && { address }),
  };
}
