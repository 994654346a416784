// Which images were sent, and what became of each?
//
// The page's half of the service's promise: every job accepted here is counted until it has an outcome.
import type { Job } from "../api/types";
import { BATCHES_MAX, STRANGERS_MAX, type BatchView, type State } from "./state";

type Jobs = ReadonlyMap<string, Job>;

/** Whether nothing more will happen to a job. */
export function isSettled(job: Job): boolean {
  return job.state !== "queued" && job.state !== "running";
}

/** Takes news of jobs in, each to its batch or among the strangers. */
export function hear(state: State, news: readonly Job[]): State {
  if (news.length === 0) return state;
  const jobs = new Map(state.jobs);
  const strangers = new Map(state.strangers);
  for (const job of news) {
    const ours = jobs.has(job.id);
    const home = ours ? jobs : strangers;
    home.set(job.id, later(home.get(job.id), job));
  }
  return { ...state, jobs, strangers: newest(strangers) };
}

/** Adds a batch that the service has just accepted. Events may have overtaken the answer that tells its jobs. */
export function accept(state: State, batch: BatchView, answered: readonly Job[]): State {
  const batches = [batch, ...state.batches.filter(({ id }) => id !== batch.id)].slice(0, BATCHES_MAX);
  const jobs = new Map(state.jobs);
  const strangers = new Map(state.strangers);
  for (const job of answered) {
    jobs.set(job.id, strangers.get(job.id) ?? jobs.get(job.id) ?? job);
    strangers.delete(job.id);
  }
  return { ...state, batches, jobs: only(batches, jobs), strangers };
}

/** Drops the batches that are over. */
export function clear(state: State): State {
  const batches = state.batches.filter((batch) => isOpen(batch, state.jobs));
  return { ...state, batches, jobs: only(batches, state.jobs), strangers: new Map() };
}

/** Whether the batch still waits for an outcome that can come. */
export function isOpen(batch: BatchView, jobs: Jobs): boolean {
  return !batch.forgotten && jobsOf(batch, jobs).some((job) => !isSettled(job));
}

/** The batch's jobs, in the order in which they were sent. */
export function jobsOf(batch: BatchView, jobs: Jobs): Job[] {
  return batch.jobs.map((id) => jobs.get(id)).filter((job) => job !== undefined);
}

export interface Receipt {
  readonly accepted: number;
  readonly done: number;
  /** Given up after every attempt, or taken back by the sender. */
  readonly failed: number;
  /** Accepted and without an outcome yet. */
  readonly open: number;
  /** Jobs that took more than one attempt. */
  readonly redelivered: number;
  /** Outcomes by pod, the busiest first. */
  readonly pods: readonly (readonly [name: string, outcomes: number])[];
  /** From acceptance to the last outcome, in milliseconds; `null` until all are in. */
  readonly took: number | null;
}

/** What became of `jobs`, in numbers that must add up. */
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

// An outcome is final: an answer that was under way when it fell must not undo it.
function later(known: Job | undefined, news: Job): Job {
  return known && isSettled(known) && !isSettled(news) ? known : news;
}

function only(batches: readonly BatchView[], jobs: Jobs): Jobs {
  const kept = new Set(batches.flatMap((batch) => batch.jobs));
  return new Map([...jobs].filter(([id]) => kept.has(id)));
}

function newest(strangers: Map<string, Job>): Jobs {
  return strangers.size <= STRANGERS_MAX ? strangers : new Map([...strangers].slice(-STRANGERS_MAX));
}
