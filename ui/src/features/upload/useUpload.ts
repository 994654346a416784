// Which files are on their way, and what holds them up?
import { useCallback, useEffect, useReducer, useRef, type Dispatch } from "react";

import type { Api } from "../../api/client";
import type { Action } from "../../live/state";
import { deliver, type Sending } from "./deliver";
import { inRequests, withOwnNames } from "./prepare";
import { batchOf } from "./send";

type Change = { readonly put: Sending } | { readonly drop: string };

export interface Upload {
  readonly sendings: readonly Sending[];
  readonly add: (files: readonly File[]) => void;
  readonly retry: (sending: Sending) => void;
  readonly dismiss: (sending: Sending) => void;
}

export function useUpload(api: Api, dispatch: Dispatch<Action>): Upload {
  const [sendings, change] = useReducer(changed, []);
  const running = useRef(new Map<string, AbortController>());

  useEffect(() => {
    const aborts = running.current;
    return () => {
      for (const abort of aborts.values()) abort.abort();
    };
  }, []);

  const stop = useCallback((key: string) => {
    running.current.get(key)?.abort();
    running.current.delete(key);
  }, []);

  const start = useCallback(
    async (key: string, files: readonly File[]): Promise<void> => {
      const abort = new AbortController();
      running.current.set(key, abort);
      const accepted = await deliver({
        api,
        key,
        files,
        signal: abort.signal,
        onPhase: (phase) => {
          change({ put: { key, files, phase } });
        },
      }).catch(() => null);
      if (accepted === null) return;
      running.current.delete(key);
      const batch = batchOf(accepted, files, (file) => URL.createObjectURL(file));
      dispatch({ type: "accepted", batch, jobs: accepted.jobs });
      change({ drop: key });
    },
    [api, dispatch],
  );

  const add = useCallback(
    (files: readonly File[]) => {
      for (const request of inRequests(withOwnNames(files))) void start(newKey(), request);
    },
    [start],
  );
  const retry = ({ key, files }: Sending) => {
    stop(key);
    void start(key, files);
  };
  const dismiss = ({ key }: Sending) => {
    stop(key);
    change({ drop: key });
  };
  return { sendings, add, retry, dismiss };
}

function changed(sendings: readonly Sending[], change: Change): readonly Sending[] {
  if ("drop" in change) return sendings.filter(({ key }) => key !== change.drop);
  const known = sendings.some(({ key }) => key === change.put.key);
  return known
    ? sendings.map((sending) => (sending.key === change.put.key ? change.put : sending))
    : [...sendings, change.put];
}

// `randomUUID` exists only in secure contexts; a page on a plain address in a local network is none.
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
