export interface Cost {
  readonly value: number;
  /** What costs that. */
  readonly of: string;
  /** Where it was measured. */
  readonly from: string;
}

export type Costs = Readonly<Record<'node' | 'redis' | 'wire', Readonly<Record<string, Cost>>>>;

/** What is simulated of Earshot itself, beside the costs. */
export interface Parts {
  readonly costs: Costs;
  backoffMs(
    failures: number,
    bounds: { readonly minBackoffMs: number; readonly maxBackoffMs: number },
    random: number,
  ): number;
  planTurns(
    count: number,
    plan: { readonly timeoutMs: number; readonly backWithinMs: number; readonly reconnectsPerSecond: number },
  ): ReadonlyArray<{ readonly atMs: number; readonly afterMs: readonly [from: number, to: number] }>;
}

/** The tables of docs/scaling.md, by the names of their places. */
export declare function tablesOf(parts: Parts): Readonly<Record<string, string>>;
