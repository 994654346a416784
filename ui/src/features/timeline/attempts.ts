// Which attempts were made at an image, when, and how did each end?
import type { Job, LostAttempt } from "../../api/types";
import { claimedAt } from "../../live/times";

export type Cause = LostAttempt["cause"];
export type End = "queued" | "running" | "done" | "failed" | Cause;

/** Attempt of one pod at one image; times in milliseconds since the Unix epoch. */
export interface Attempt {
  readonly job: string;
  readonly filename: string;
  /** Pod that made the attempt; `null` while the image waits for one. */
  readonly pod: string | null;
  /** Time at which the image began to wait for this attempt. */
  readonly waits: number;
  readonly from: number;
  /** End of the attempt, or the present time while there is none. */
  readonly to: number;
  readonly end: End;
}

/** Whether the pod ended during the attempt, so that another pod repeats it. */
export function isPodLost(end: End): boolean {
  return end === "stopped" || end === "crashed";
}

/** Returns the attempts at an image, oldest first; the last one is its present state. */
export function attemptsOf(job: Job, now: number): Attempt[] {
  const { id, filename, submitted, settled = null, lost = [] } = job;
  if (submitted === undefined) return [];
  const attempts: Attempt[] = [];
  let waits = submitted;
  for (const { worker, began, ended, cause } of lost) {
    const from = Math.max(waits, began);
    const to = Math.max(from, ended);
    attempts.push({ job: id, filename, pod: worker, waits, from, to, end: cause });
    waits = to;
  }
  if (job.state === "queued" || job.worker === undefined) {
    // An image that failed while it waited has no further attempt.
    if (job.state === "queued") {
      const to = Math.max(waits, now);
      attempts.push({ job: id, filename, pod: null, waits, from: to, to, end: "queued" });
    }
    return attempts;
  }
  const last = attempts.at(-1);
  if (job.state === "failed" && last !== undefined && settled !== null && settled - last.to <= 0) return attempts;
  const claimed = claimedAt(job) ?? waits;
  const from = Math.max(waits, claimed);
  const to = Math.max(from, settled ?? now);
  attempts.push({ job: id, filename, pod: job.worker, waits, from, to, end: job.state });
  return attempts;
}
