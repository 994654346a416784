// Which files are being sent, and what delays them?
import { useCallback, useEffect, useReducer, useRef, type Dispatch } from "react";

import type { Api } from "../../api/client";
import type { Action } from "../../live/state";
import { deliver, type Upload } from "./deliver";
import { inRequests, withUniqueNames } from "./prepare";
import { batchOf } from "./send";

type Change = { readonly put: Upload } | { readonly drop: string };

export interface Uploads {
  readonly pending: readonly Upload[];
  readonly add: (files: readonly File[]) => void;
  readonly retry: (upload: Upload) => void;
  readonly dismiss: (upload: Upload) => void;
}

export function useUploads(api: Api, dispatch: Dispatch<Action>): Uploads {
  const [pending, change] = useReducer(applied, []);
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
      for (const request of inRequests(withUniqueNames(files))) void start(newKey(), request);
    },
    [start],
  );
  const retry = ({ key, files }: Upload) => {
    stop(key);
    void start(key, files);
  };
  const dismiss = ({ key }: Upload) => {
    stop(key);
    change({ drop: key });
  };
  return { pending, add, retry, dismiss };
}

function applied(pending: readonly Upload[], change: Change): readonly Upload[] {
  if ("drop" in change) return pending.filter(({ key }) => key !== change.drop);
  const known = pending.some(({ key }) => key === change.put.key);
  return known
    ? pending.map((upload) => (upload.key === change.put.key ? change.put : upload))
    : [...pending, change.put];
}

// `randomUUID` exists only in secure contexts, and a page served over plain HTTP in a local network is not one.
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
