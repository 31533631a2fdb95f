import type { EventOf, ReaderPlan } from '../history/events.js';
import type { Findings } from './findings.js';

type DenyEvent = EventOf<'deny.tried' | 'deny.refused' | 'deny.served' | 'deny.unknown'>;

/** Who may not read or publish, and tries to. */
export class Denials {
  readonly #findings: Findings;
  readonly #tries = new Map<string, { readonly event: DenyEvent; readonly line: number }>();
  /** By whom, the channels that it is yet to try. */
  readonly #untried = new Map<string, Set<string>>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Who may not, and where. */
  expect({ by, channels }: ReaderPlan): void {
    this.#untried.set(by, new Set(channels));
  }

  take(event: DenyEvent, line: number): void {
    const { by, technique, channel } = event;
    const tried = this.#tries.get(by);
    if (event.kind === 'deny.tried') {
      if (tried !== undefined) this.#findings.fault(line, `${by} tries again before it is answered`);
      this.#tries.set(by, { event, line });
      this.#untried.get(by)?.delete(channel);
      return;
    }
    this.#tries.delete(by);
    if (tried?.event.technique !== technique || tried.event.channel !== channel)
      this.#findings.fault(line, `${by} is answered by ${technique} on ${channel}, and has not asked so`);
    if (event.kind !== 'deny.unknown') this.#findings.checked('permission');
    if (event.kind === 'deny.served')
      this.#findings.broken(
        'permission',
        `${by} was let in on ${channel} by ${technique}`,
        tried?.line,
        line,
      );
  }

  finish(): void {
    for (const [by, channels] of this.#untried) {
      for (const channel of channels) this.#findings.fault(1, `${by} did not try ${channel}`);
    }
    for (const [by, { line }] of this.#tries)
      this.#findings.fault(line, `nothing is said of what ${by} was answered`);
  }
}
