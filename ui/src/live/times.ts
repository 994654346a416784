// When was a job claimed, and how long did it take?
//
// All times come from the service, so that every page and every reload shows the same.
import type { Job } from "../api/types";

/** Returns the time of the claim that settled the job; `null` before its outcome. */
export function claimedAt({ submitted, queued_ms }: Job): number | null {
  return submitted === undefined || queued_ms === undefined ? null : submitted + queued_ms;
}

/** Returns the time from the submission to the outcome, in milliseconds; `null` before the outcome. */
export function wholeTime({ submitted, settled }: Job): number | null {
  return submitted === undefined || settled === undefined ? null : Math.max(0, settled - submitted);
}
