// Which run does a test list?
import type { Run } from "../../api/types";

/** Creates a run whose images are all done, unless `differences` says otherwise. */
export function aListedRun(differences: Partial<Run> = {}): Run {
  const accepted = differences.accepted ?? 21;
  return {
    batch: "batch-1",
    submitted: 1_700_000_000_000,
    accepted,
    redelivered: 0,
    counts: { queued: 0, running: 0, done: accepted, failed: 0 },
    workers: ["kana-worker-a"],
    elapsed_ms: 1_000,
    ...differences,
  };
}
