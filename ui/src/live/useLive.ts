// How does what the server says reach the page's state?
import { useEffect, type Dispatch } from "react";

import type { Api } from "../api/client";
import { authorization } from "../api/token";
import { decode, type ServerEvent } from "./decode";
import { follow } from "./reader";
import type { Action } from "./state";

/** Events are taken together at this pace, in milliseconds: faster than an eye, slower than a busy service. */
const FLUSH_EVERY = 50;
/** How often pods that ended are looked at, in milliseconds. */
const SWEEP_EVERY = 1_000;

/** Follows the event stream while mounted, anew whenever `attempt` changes (a token was given, say). */
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
    // Nothing changes, and nothing is drawn, unless a pod has been gone for long enough.
    const sweep = setInterval(() => {
      dispatch({ type: "tick", at: Date.now() });
    }, SWEEP_EVERY);

    void follow({
      url: "/v1/events",
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
