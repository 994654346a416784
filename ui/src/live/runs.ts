// Which images were given, and what is the outcome of each?
//
// Every job accepted here is counted until it has an outcome.
import type { Job } from "../api/types";
import { JOBS_MAX, OTHER_JOBS_MAX, REMOVED_MAX, RUNS_MAX, type AcceptedBatch, type RunView, type State } from "./state";
import { DRAWING_NAME } from "../lib/drawing";

type Jobs = ReadonlyMap<string, Job>;

/** Whether a job has its final outcome. */
export function isSettled(job: Job): boolean {
  return job.state !== "queued" && job.state !== "running";
}

/** Applies updates of jobs, each to a run of this page or to the jobs of other clients; its drawings are neither. */
export function updateJobs(state: State, updates: readonly Job[]): State {
  if (updates.length === 0) return state;
  const jobs = new Map(state.jobs);
  const otherJobs = new Map(state.otherJobs);
  // A run that another page sends grows while this one shows it.
  const grows = new Map(
    state.runs.flatMap((run) => (run.loaded && run.id === run.listed?.batch ? [[run.id, run]] : [])),
  );
  const grown = new Map<string, string[]>();
  for (const job of updates) {
    if (job.filename === DRAWING_NAME) continue;
    const joins = !jobs.has(job.id) && grows.has(job.batch);
    if (joins) grown.set(job.batch, [...(grown.get(job.batch) ?? []), job.id]);
    const target = joins || jobs.has(job.id) ? jobs : otherJobs;
    target.set(job.id, later(target.get(job.id), job));
  }
  const runs = state.runs.map((run) => {
    const more = grown.get(run.id);
    return more ? { ...run, given: run.given + more.length, jobs: [...run.jobs, ...more] } : run;
  });
  return { ...state, runs: grown.size > 0 ? runs : state.runs, jobs, otherJobs: newest(otherJobs) };
}

/** Adds a run of which nothing has been sent yet, or counts further files of a run as given. */
export function startRun(state: State, id: string, given: number, at: number): State {
  if (state.runs.some((run) => run.id === id)) {
    const runs = state.runs.map((run) => (run.id === id ? { ...run, given: run.given + given } : run));
    return { ...state, runs };
  }
  const run: RunView = {
    id,
    startedAt: at,
    given,
    batches: [],
    jobs: [],
    rejected: [],
    files: new Map(),
    expired: false,
    listed: null,
    loaded: true,
  };
  return withRuns(state, [run, ...state.runs]);
}

/** Adds a batch that the service has just accepted. Events of its jobs may have come before that answer. */
export function acceptBatch(state: State, id: string, accepted: AcceptedBatch): State {
  const jobs = new Map(state.jobs);
  const otherJobs = new Map(state.otherJobs);
  for (const job of accepted.jobs) {
    jobs.set(job.id, otherJobs.get(job.id) ?? jobs.get(job.id) ?? job);
    otherJobs.delete(job.id);
  }
  const known = state.runs.find((run) => run.id === id)?.batches.some((batch) => batch.id === accepted.batch.id);
  // The list may have named the batch before the answer to its own submission came.
  const others = state.runs.filter((run) => run.id === id || run.id !== accepted.batch.id);
  const runs = others.map((run) =>
    run.id === id
      ? {
          ...run,
          batches: known ? run.batches : [...run.batches, accepted.batch],
          jobs: [...new Set([...run.jobs, ...accepted.jobs.map((job) => job.id)])],
          rejected: [...run.rejected, ...accepted.rejected],
          files: new Map([...run.files, ...accepted.files]),
        }
      : run,
  );
  return withRuns({ ...state, jobs, otherJobs }, runs);
}

/** Counts files of a run as not given after all: they were refused, or the person withdrew them. */
export function withdraw(state: State, id: string, files: number): State {
  const runs = state.runs.map((run) => (run.id === id ? { ...run, given: run.given - files } : run));
  return withRuns(
    state,
    runs.filter((run) => run.id !== id || run.given > 0),
  );
}

/** Removes the runs that are over. */
export function removeSettled(state: State): State {
  const kept = state.runs.filter((run) => isOpen(run, state.jobs));
  const gone = state.runs.filter((run) => !kept.includes(run)).flatMap(({ batches }) => batches.map(({ id }) => id));
  const removed = new Set([...state.removed, ...gone].slice(-REMOVED_MAX));
  return { ...withRuns(state, kept), removed, otherJobs: new Map() };
}

/** Number of files of the run that the service has neither accepted nor rejected yet. */
export function unsent(run: RunView): number {
  return Math.max(0, run.given - run.jobs.length - run.rejected.length);
}

/** Whether the run still waits for answers or outcomes that can come. */
export function isOpen(run: RunView, jobs: Jobs): boolean {
  return unsent(run) > 0 || (!run.expired && jobsOf(run, jobs).some((job) => !isSettled(job)));
}

/** Returns the jobs of the run, in the order in which they were sent. */
export function jobsOf(run: RunView, jobs: Jobs): Job[] {
  return run.jobs.map((id) => jobs.get(id)).filter((job) => job !== undefined);
}

export interface Receipt {
  readonly accepted: number;
  readonly done: number;
  /** Jobs that failed every attempt or that the sender cancelled. */
  readonly failed: number;
  /** Jobs without an outcome yet. */
  readonly open: number;
  /** Jobs that took more than one attempt. */
  readonly redelivered: number;
  /** Outcomes by pod, most first. */
  readonly pods: readonly (readonly [name: string, outcomes: number])[];
  /** Time from the first submission to the last outcome, in milliseconds; `null` while jobs are open. */
  readonly took: number | null;
}

/** Counts the outcomes of the jobs of a run: accepted = done + failed + open. */
export function receipt(run: RunView, jobs: readonly Job[]): Receipt {
  let [done, failed, open, redelivered, last] = [0, 0, 0, 0, 0];
  const pods = new Map<string, number>();
  const begun = Math.min(...jobs.map(({ submitted }) => submitted ?? Infinity));
  for (const job of jobs) {
    if (job.state === "done") done += 1;
    else if (job.state === "failed") failed += 1;
    else open += 1;
    if (job.attempts > 1) redelivered += 1;
    if (job.worker && isSettled(job)) pods.set(job.worker, (pods.get(job.worker) ?? 0) + 1);
    const { submitted = begun, settled = submitted + (job.queued_ms ?? 0) + (job.inference_ms ?? 0) } = job;
    if (Number.isFinite(settled)) last = Math.max(last, settled - begun);
  }
  return {
    accepted: jobs.length,
    done,
    failed,
    open,
    redelivered,
    pods: [...pods].sort(([a, m], [b, n]) => n - m || a.localeCompare(b)),
    took: open > 0 || unsent(run) > 0 || jobs.length === 0 ? null : last,
  };
}

// An outcome is final: an older answer that arrives later must not undo it.
export function later(known: Job | undefined, update: Job): Job {
  if (known && isSettled(known) && !isSettled(update)) return known;
  // Events omit the lost attempts.
  return known?.lost && !update.lost ? { ...update, lost: known.lost } : update;
}

// Keeps the newest runs within both limits, and only their jobs.
export function withRuns(state: State, runs: readonly RunView[]): State {
  let total = 0;
  const kept = runs.slice(0, RUNS_MAX).filter((run, i) => {
    total += run.jobs.length;
    return i === 0 || total <= JOBS_MAX;
  });
  if (kept.length === state.runs.length && kept.every(({ id }, i) => state.runs[i]?.id === id)) {
    return { ...state, runs: kept };
  }
  const ids = new Set(kept.flatMap((run) => run.jobs));
  return { ...state, runs: kept, jobs: new Map([...state.jobs].filter(([id]) => ids.has(id))) };
}

function newest(otherJobs: Map<string, Job>): Jobs {
  return otherJobs.size <= OTHER_JOBS_MAX ? otherJobs : new Map([...otherJobs].slice(-OTHER_JOBS_MAX));
}
