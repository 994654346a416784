// Which files are being sent, and what delays them?
//
// One gift of files is one run. Its requests are made one after the other, so that thousands of files neither freeze the
// page nor fill the connections of the browser. What could not be sent is sent as soon as the service is back.
import { useCallback, useEffect, useReducer, useRef, type Dispatch } from "react";

import type { Api, NamedFile } from "../../api/client";
import type { Action } from "../../live/state";
import { deliver, type Phase, type Upload } from "./deliver";
import { inRequests, withUniqueNames } from "./prepare";
import { acceptedBatch } from "./send";

type Change = { readonly put: Upload } | { readonly drop: string };
type Decision = "retry" | "dismiss";

export interface Uploads {
  /** Requests that are being made or were not accepted. */
  readonly pending: readonly Upload[];
  /** Sends files as one run, or as more of a run that began with an earlier call. */
  readonly add: (files: readonly NamedFile[], run?: string) => void;
  readonly retry: (upload: Upload) => void;
  readonly dismiss: (upload: Upload) => void;
}

/** Sends files. `live` says whether the service is connected. */
export function useUploads(api: Api, dispatch: Dispatch<Action>, live: boolean): Uploads {
  const [pending, change] = useReducer(applied, []);
  const controls = useRef(new Map<string, (decision: Decision) => void>());

  useEffect(() => {
    const running = controls.current;
    return () => {
      for (const decide of running.values()) decide("dismiss");
    };
  }, []);

  const latest = useRef(pending);
  useEffect(() => {
    latest.current = pending;
  }, [pending]);
  useEffect(() => {
    if (!live) return;
    for (const { key, phase } of latest.current) {
      if (phase.name === "given up" || phase.name === "waiting") controls.current.get(key)?.("retry");
    }
  }, [live]);

  const request = useCallback(
    async (run: string, files: readonly NamedFile[], batch: string | undefined): Promise<string | undefined> => {
      const key = newKey();
      for (;;) {
        const abort = new AbortController();
        let last: Phase["name"] = "sending";
        const decision = new Promise<Decision>((resolve) => {
          controls.current.set(key, (decided) => {
            resolve(decided);
            abort.abort();
          });
        });
        const onPhase = (phase: Phase) => {
          last = phase.name;
          change({ put: { key, files, phase } });
        };
        const accepted = await deliver({ api, key, files, batch, signal: abort.signal, onPhase }).catch(() => null);
        if (accepted !== null) {
          controls.current.delete(key);
          dispatch({ type: "accepted", run, accepted: acceptedBatch(accepted, files, Date.now()) });
          change({ drop: key });
          return accepted.batch;
        }
        // A refusal stays on the page until the person dismisses it, and the rest of the run goes on.
        const refused = (last as Phase["name"]) === "refused";
        if (!refused && (await decision) === "retry") continue;
        controls.current.delete(key);
        if (!refused) change({ drop: key });
        dispatch({ type: "withdrawn", run, files: files.length });
        return batch;
      }
    },
    [api, dispatch],
  );

  const add = useCallback(
    (files: readonly NamedFile[], run = newKey()) => {
      if (files.length === 0) return;
      dispatch({ type: "given", run, files: files.length, at: Date.now() });
      void (async () => {
        let batch: string | undefined;
        for await (const part of inRequests(withUniqueNames(files))) batch = await request(run, part, batch);
      })();
    },
    [dispatch, request],
  );
  const retry = ({ key }: Upload) => controls.current.get(key)?.("retry");
  const dismiss = ({ key }: Upload) => {
    const decide = controls.current.get(key);
    if (decide) decide("dismiss");
    else change({ drop: key });
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

/** Creates a key that no other has. */
// `randomUUID` exists only in secure contexts, and a page served over plain HTTP in a local network is not one.
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
