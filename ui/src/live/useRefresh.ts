// What if the stream missed the end of a job?
//
// The open batches of a run without progress for a while are read in full, and so is every open batch when the stream
// reconnects or is reset. So no image stays "queued" on the page that is done on the server.
import { useEffect, useRef, type Dispatch } from "react";

import type { Api } from "../api/client";
import { isOpen, isSettled, jobsOf } from "./runs";
import type { Action, State } from "./state";

/** Time without progress after which the batches of a run are read, in milliseconds. */
const STILL_MAX = 5_000;

/** Reads open batches whose events may have been missed. */
export function useRefresh(api: Api, state: State, dispatch: Dispatch<Action>): void {
  const latest = useRef(state);
  const seen = useRef(new Map<string, number>());
  useEffect(() => {
    latest.current = state;
  }, [state]);

  const { epoch } = state;
  const open = state.connection === "open";
  useEffect(() => {
    if (!open) return;
    const check = (all: boolean) => {
      const { runs, jobs } = latest.current;
      const settled = new Map<string, number>();
      for (const run of runs.filter((run) => isOpen(run, jobs))) {
        const count = jobsOf(run, jobs).filter(isSettled).length;
        settled.set(run.id, count);
        if (!all && seen.current.get(run.id) !== count) continue;
        const open = new Set(jobsOf(run, jobs).flatMap((job) => (isSettled(job) ? [] : [job.batch])));
        for (const batch of open) void refresh(api, batch, dispatch);
      }
      seen.current = settled;
    };
    check(true);
    const timer = setInterval(() => {
      check(false);
    }, STILL_MAX);
    return () => {
      clearInterval(timer);
    };
  }, [api, dispatch, open, epoch]);
}

async function refresh(api: Api, id: string, dispatch: Dispatch<Action>): Promise<void> {
  const answer = await api.batch(id);
  if (answer.ok) dispatch({ type: "refreshed", jobs: answer.value.jobs });
  else if (answer.problem.status === 404) dispatch({ type: "expired", batch: id });
}
