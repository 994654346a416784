// Which runs does the mock list?
import type { Job, Run } from "../src/api/types";

/** Lists the batches of these jobs, newest first. */
export function batchesOf(jobs: readonly Job[], names: ReadonlyMap<string, string>) {
  const ids = [...new Set(jobs.map(({ batch }) => batch))].reverse();
  return ids.map((batch) =>
    batchOf(
      batch,
      jobs.filter((job) => job.batch === batch),
      names.get(batch),
    ),
  );
}

function batchOf(batch: string, jobs: readonly Job[], name: string | undefined): Run {
  const submitted = Math.min(...jobs.map((job) => job.submitted ?? Infinity));
  const settled = jobs.flatMap((job) => (job.settled === undefined ? [] : [job.settled]));
  const of = (state: Job["state"]) => jobs.filter((job) => job.state === state).length;
  return {
    batch,
    ...(name !== undefined && { name }),
    submitted,
    accepted: jobs.length,
    redelivered: jobs.filter(({ attempts }) => attempts > 1).length,
    counts: { queued: of("queued"), running: of("running"), done: of("done"), failed: of("failed") },
    workers: [...new Set(jobs.flatMap((job) => (job.settled && job.worker ? [job.worker] : [])))],
    ...(settled.length > 0 && { elapsed_ms: Math.max(...settled) - submitted }),
  };
}
