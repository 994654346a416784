// How fast was a run, and how much faster than another?
import type { Run } from "../../api/types";

export interface Compared {
  readonly run: Run;
  /** Whether every image has its outcome. */
  readonly over: boolean;
  /** Images a second from the submission to the latest outcome; `null` before the first outcome. */
  readonly perSecond: number | null;
  /** How many times as fast as the run that it is compared with; `null` where either is not over. */
  readonly speedUp: number | null;
}

/** Compares runs with the one of that batch. Images a second are compared, so runs of different sizes can be, too. */
export function compare(runs: readonly Run[], against: string | null): Compared[] {
  const base = runs.find(({ batch }) => batch === against);
  const baseRate = base && isOver(base) ? rateOf(base) : null;
  return runs.map((run) => {
    const [over, perSecond] = [isOver(run), rateOf(run)];
    const speedUp = over && perSecond !== null && baseRate !== null ? perSecond / baseRate : null;
    return { run, over, perSecond, speedUp };
  });
}

/** The run that others are compared with unless a person says otherwise: the slowest of those that are over. */
export function slowest(runs: readonly Run[]): string | null {
  const rates = runs.flatMap((run) => {
    const rate = isOver(run) ? rateOf(run) : null;
    return rate === null ? [] : [{ batch: run.batch, rate }];
  });
  return rates.toSorted((a, b) => a.rate - b.rate)[0]?.batch ?? null;
}

function isOver({ accepted, counts }: Run): boolean {
  return counts.done + counts.failed === accepted;
}

function rateOf({ counts, elapsed_ms: elapsed }: Run): number | null {
  return elapsed === undefined || elapsed <= 0 ? null : ((counts.done + counts.failed) / elapsed) * 1_000;
}
