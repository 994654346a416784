// How do events of the stream reach the state of the page?
import { useEffect, type Dispatch } from "react";

import type { Api } from "../api/client";
import { authorization } from "../api/token";
import { decode, type ServerEvent } from "./decode";
import { follow } from "./stream";
import type { Action } from "./state";

/** Interval at which received events are applied together, in milliseconds: too short to notice. */
const FLUSH_EVERY = 50;
/** Interval at which ended pods are checked, in milliseconds. */
const SWEEP_EVERY = 1_000;

/** Follows the event stream while mounted; reconnects when `attempt` changes, for example with a new token. */
export function useLive(api: Api, dispatch: Dispatch<Action>, attempt: number): void {
  useEffect(() => {
    const abort = new AbortController();
    let pending: ServerEvent[] = [];
    let flush: ReturnType<typeof setTimeout> | undefined;

    const deliver = () => {
      flush = undefined;
      const events = pending;
      pending = [];
      dispatch({ type: "events", events, at: Date.now() });
    };
    // The state stays the same object, so nothing is drawn, unless a pod has been gone for long enough.
    const sweep = setInterval(() => {
      dispatch({ type: "tick", at: Date.now() });
    }, SWEEP_EVERY);

    void follow({
      url: `${api.gateway}/v1/events`,
      fetch: api.fetch,
      headers: () => authorization(api.tokens),
      onConnection: (connection) => {
        dispatch({ type: "connection", connection });
      },
      onMessages: (messages) => {
        pending.push(...messages.map(decode).filter((event) => event !== null));
        flush ??= setTimeout(deliver, FLUSH_EVERY);
      },
      signal: abort.signal,
    });

    return () => {
      abort.abort();
      clearTimeout(flush);
      clearInterval(sweep);
    };
  }, [api, dispatch, attempt]);
}
