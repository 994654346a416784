// Which runs does the service know that this page did not send?
//
// The list is read when the page opens, when the stream reconnects, and when events name an unknown batch. The jobs of
// the newest run and of runs with news are read then; those of others once a person opens them.
import { useEffect, useRef, type Dispatch } from "react";

import type { Api } from "../api/client";
import type { Action, State } from "./state";

/** Time for which more events are awaited before the list is read, in milliseconds. */
const GATHERED_FOR = 400;
const KEY = "kana.removed";

/** Keeps the runs of the service's list. `chosen` is the run that the person wants to see. */
export function useRuns(api: Api, state: State, dispatch: Dispatch<Action>, chosen: string | null = null): void {
  const { epoch, runs, otherJobs, removed } = state;
  const open = state.connection === "open";

  useEffect(() => {
    if (open) void list(api, dispatch);
  }, [api, dispatch, open, epoch]);

  // The list names the batches of /v1/jobs only, so an unknown batch is looked for once.
  const asked = useRef(new Set<string>());
  const known = new Set(runs.flatMap(({ batches }) => batches.map(({ id }) => id)));
  const named = new Set([...otherJobs.values()].map(({ batch }) => batch));
  const strangers = [...named].filter((batch) => !known.has(batch) && !removed.has(batch)).join(" ");
  useEffect(() => {
    if (!open || strangers === "") return;
    const timer = setTimeout(() => {
      const news = strangers.split(" ").filter((batch) => !asked.current.has(batch));
      for (const batch of news) asked.current.add(batch);
      if (news.length > 0) void list(api, dispatch);
    }, GATHERED_FOR);
    return () => {
      clearTimeout(timer);
    };
  }, [api, dispatch, open, strangers]);

  const reading = useRef(new Set<string>());
  const wanted = runs
    .filter((run, i) => !run.loaded && !run.expired && (i === 0 || run.id === chosen || named.has(run.id)))
    .map(({ id }) => id)
    .join(" ");
  useEffect(() => {
    if (!open || wanted === "") return;
    for (const batch of wanted.split(" ")) {
      if (reading.current.has(batch)) continue;
      reading.current.add(batch);
      void api.batch(batch).then((answer) => {
        reading.current.delete(batch);
        if (answer.ok) dispatch({ type: "loaded", batch, jobs: answer.value.jobs });
        else if (answer.problem.status === 404) dispatch({ type: "expired", batch });
      });
    }
  }, [api, dispatch, open, wanted]);

  useEffect(() => {
    try {
      localStorage.setItem(KEY, JSON.stringify([...removed]));
    } catch {
      // A browser that forbids storage shows removed runs again after a reload.
    }
  }, [removed]);
}

/** Returns the state with the runs that the person removed before the page was loaded. */
export function withRemoved(state: State): State {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]") as unknown;
    if (!Array.isArray(kept)) return state;
    return { ...state, removed: new Set(kept.filter((id) => typeof id === "string")) };
  } catch {
    return state;
  }
}

async function list(api: Api, dispatch: Dispatch<Action>): Promise<void> {
  const answer = await api.batches();
  if (answer.ok) dispatch({ type: "listed", listed: answer.value });
}
