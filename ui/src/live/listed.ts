// Which runs does the service list beside those that this page sent?
import type { Job, Run } from "../api/types";
import { later, withRuns } from "./runs";
import type { RunView, State } from "./state";

/** Adds the runs of the service's list, and keeps what the page knows of its own. */
export function listRuns(state: State, listed: readonly Run[]): State {
  const byBatch = new Map(listed.map((run) => [run.batch, run]));
  const known = new Set<string>();
  const runs = state.runs.map((run): RunView => {
    for (const { id } of run.batches) known.add(id);
    const found = byBatch.get(run.batches[0]?.id ?? "");
    return found ? { ...run, listed: found } : run;
  });
  const added = listed.filter(({ batch }) => !known.has(batch) && !state.removed.has(batch)).map(viewOf);
  return withRuns(
    state,
    [...runs, ...added].sort((a, b) => timeOf(b) - timeOf(a)),
  );
}

/** Adds the jobs of a listed run. */
export function loadRun(state: State, batch: string, read: readonly Job[]): State {
  const jobs = new Map(state.jobs);
  const otherJobs = new Map(state.otherJobs);
  for (const job of read) {
    jobs.set(job.id, later(otherJobs.get(job.id) ?? jobs.get(job.id), job));
    otherJobs.delete(job.id);
  }
  const runs = state.runs.map((run) =>
    run.id === batch ? { ...run, given: read.length, jobs: read.map(({ id }) => id), loaded: true } : run,
  );
  return withRuns({ ...state, jobs, otherJobs }, runs);
}

function viewOf(listed: Run): RunView {
  return {
    id: listed.batch,
    startedAt: listed.submitted,
    given: 0,
    batches: [{ id: listed.batch, at: listed.submitted }],
    jobs: [],
    rejected: [],
    files: new Map(),
    expired: false,
    listed,
    loaded: false,
  };
}

function timeOf({ listed, startedAt }: RunView): number {
  return listed?.submitted ?? startedAt;
}
