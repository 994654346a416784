// How many waiting images can still be cancelled?
import type { Api } from "../../api/client";
import { concurrently } from "../../lib/concurrently";

/** Requests made at once; a browser makes six to one host, and the page's own need some of them. */
const REQUESTS_MAX = 4;

/** Outcome of cancelling jobs: the numbers add up to the jobs that were to be cancelled. */
export interface Cancelled {
  readonly cancelled: number;
  /** Jobs that had started or ended. */
  readonly late: number;
  /** Jobs of which the service did not say that they are cancelled. */
  readonly failed: number;
}

/** Cancels the jobs that have not started. */
export async function cancelAll(api: Api, jobs: readonly string[]): Promise<Cancelled> {
  const outcomes = await concurrently(jobs, REQUESTS_MAX, async (id): Promise<keyof Cancelled> => {
    const answer = await api.cancel(id);
    if (answer.ok) return "cancelled";
    return answer.problem.status === 409 || answer.problem.status === 404 ? "late" : "failed";
  });
  const number = (outcome: keyof Cancelled) => outcomes.filter((each) => each === outcome).length;
  return { cancelled: number("cancelled"), late: number("late"), failed: number("failed") };
}
