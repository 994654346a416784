// What if the stream missed the end of a job?
//
// An open batch without progress for a while is read in full, and so is every open batch when the stream reconnects or is
// reset. So no image stays "queued" on the page that is done on the server.
import { useEffect, useRef, type Dispatch } from "react";

import type { Api } from "../api/client";
import { isOpen, isSettled, jobsOf } from "./batches";
import type { Action, State } from "./state";

/** Time without progress after which a batch is read, in milliseconds. */
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
      const { batches, jobs } = latest.current;
      const settled = new Map<string, number>();
      for (const batch of batches.filter((batch) => isOpen(batch, jobs))) {
        const count = jobsOf(batch, jobs).filter(isSettled).length;
        settled.set(batch.id, count);
        if (all || seen.current.get(batch.id) === count) void refresh(api, batch.id, dispatch);
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
