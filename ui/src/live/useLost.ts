// Which attempts at the images of a run were lost?
//
// Events carry the number of attempts and not what became of them, so a batch is read once that number has grown.
import { useEffect, useRef, type Dispatch } from "react";

import type { Api } from "../api/client";
import type { Job } from "../api/types";
import { jobsOf } from "./runs";
import type { Action, RunView, State } from "./state";

/** Time for which more redeliveries are awaited before a batch is read, in milliseconds. */
const GATHERED_FOR = 300;

/** Whether attempts of the job were lost that the page does not know yet. */
export function lacksAttempts(job: Job): boolean {
  return (job.lost?.length ?? 0) < (job.state === "queued" ? job.attempts : job.attempts - 1);
}

/** Reads the batches of `run` whose lost attempts are not known. */
export function useLost(api: Api, run: RunView | null, jobs: State["jobs"], dispatch: Dispatch<Action>): void {
  // Attempts that a batch had when it was read: the same answer is not asked for twice.
  const read = useRef(new Map<string, number>());
  const attempts = new Map<string, number>();
  for (const job of run ? jobsOf(run, jobs) : []) {
    if (lacksAttempts(job)) attempts.set(job.batch, (attempts.get(job.batch) ?? 0) + job.attempts);
  }
  const wanted = JSON.stringify([...attempts]);
  useEffect(() => {
    const timer = setTimeout(() => {
      for (const [batch, count] of JSON.parse(wanted) as [string, number][]) {
        if (read.current.get(batch) === count) continue;
        read.current.set(batch, count);
        void api.batch(batch).then((answer) => {
          if (answer.ok) dispatch({ type: "refreshed", jobs: answer.value.jobs });
        });
      }
    }, GATHERED_FOR);
    return () => {
      clearTimeout(timer);
    };
  }, [api, wanted, dispatch]);
}
