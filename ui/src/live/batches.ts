// Which images were sent, and what is the outcome of each?
//
// Every job accepted here is counted until it has an outcome.
import type { Job } from "../api/types";
import { BATCHES_MAX, OTHER_JOBS_MAX, type BatchView, type State } from "./state";

type Jobs = ReadonlyMap<string, Job>;

/** Whether a job has its final outcome. */
export function isSettled(job: Job): boolean {
  return job.state !== "queued" && job.state !== "running";
}

/** Applies updates of jobs, each to a batch of this page or to the jobs of other clients. */
export function updateJobs(state: State, updates: readonly Job[]): State {
  if (updates.length === 0) return state;
  const jobs = new Map(state.jobs);
  const otherJobs = new Map(state.otherJobs);
  for (const job of updates) {
    const target = jobs.has(job.id) ? jobs : otherJobs;
    target.set(job.id, later(target.get(job.id), job));
  }
  return { ...state, jobs, otherJobs: newest(otherJobs) };
}

/** Adds a batch that the service has just accepted. Events of its jobs may have come before that answer. */
export function addBatch(state: State, batch: BatchView, answered: readonly Job[]): State {
  const batches = [batch, ...state.batches.filter(({ id }) => id !== batch.id)].slice(0, BATCHES_MAX);
  const jobs = new Map(state.jobs);
  const otherJobs = new Map(state.otherJobs);
  for (const job of answered) {
    jobs.set(job.id, otherJobs.get(job.id) ?? jobs.get(job.id) ?? job);
    otherJobs.delete(job.id);
  }
  return { ...state, batches, jobs: only(batches, jobs), otherJobs };
}

/** Removes the batches without open jobs. */
export function removeSettled(state: State): State {
  const batches = state.batches.filter((batch) => isOpen(batch, state.jobs));
  return { ...state, batches, jobs: only(batches, state.jobs), otherJobs: new Map() };
}

/** Whether the batch still waits for outcomes that can come. */
export function isOpen(batch: BatchView, jobs: Jobs): boolean {
  return !batch.expired && jobsOf(batch, jobs).some((job) => !isSettled(job));
}

/** Returns the jobs of the batch, in the order in which they were sent. */
export function jobsOf(batch: BatchView, jobs: Jobs): Job[] {
  return batch.jobs.map((id) => jobs.get(id)).filter((job) => job !== undefined);
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
  /** Time from acceptance to the last outcome, in milliseconds; `null` while jobs are open. */
  readonly took: number | null;
}

/** Counts the outcomes of `jobs`: accepted = done + failed + open. */
export function receipt(jobs: readonly Job[]): Receipt {
  const count = (state: Job["state"]) => jobs.filter((job) => job.state === state).length;
  const open = jobs.filter((job) => !isSettled(job)).length;
  const pods = new Map<string, number>();
  for (const { worker } of jobs.filter(isSettled)) {
    if (worker) pods.set(worker, (pods.get(worker) ?? 0) + 1);
  }
  const spans = jobs.map((job) => (job.queued_ms ?? 0) + (job.inference_ms ?? 0));
  return {
    accepted: jobs.length,
    done: count("done"),
    failed: count("failed"),
    open,
    redelivered: jobs.filter((job) => job.attempts > 1).length,
    pods: [...pods].sort(([a, m], [b, n]) => n - m || a.localeCompare(b)),
    took: open > 0 || jobs.length === 0 ? null : Math.max(...spans),
  };
}

// An outcome is final: an older answer that arrives later must not undo it.
function later(known: Job | undefined, update: Job): Job {
  return known && isSettled(known) && !isSettled(update) ? known : update;
}

function only(batches: readonly BatchView[], jobs: Jobs): Jobs {
  const kept = new Set(batches.flatMap((batch) => batch.jobs));
  return new Map([...jobs].filter(([id]) => kept.has(id)));
}

function newest(otherJobs: Map<string, Job>): Jobs {
  return otherJobs.size <= OTHER_JOBS_MAX ? otherJobs : new Map([...otherJobs].slice(-OTHER_JOBS_MAX));
}
