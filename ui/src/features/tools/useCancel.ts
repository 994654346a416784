// Which runs are being cancelled, and with which outcome?
import { useCallback, useMemo, useState } from "react";

import type { Api } from "../../api/client";
import { cancelAll, type Cancelled } from "./cancel";

export interface Cancelling {
  /** Outcome of each run that was cancelled, by its id; "busy" before there is one. */
  readonly outcomes: ReadonlyMap<string, Cancelled | "busy">;
  readonly cancel: (run: string, jobs: readonly string[]) => void;
}

/** Cancels jobs of runs. The outcomes are kept here, since the list draws a run only while it is on the screen. */
export function useCancel(api: Api): Cancelling {
  const [outcomes, setOutcomes] = useState<Cancelling["outcomes"]>(new Map());
  const cancel = useCallback(
    (run: string, jobs: readonly string[]) => {
      const put = (outcome: Cancelled | "busy") => {
        setOutcomes((known) => new Map(known).set(run, outcome));
      };
      put("busy");
      void cancelAll(api, jobs).then(put);
    },
    [api],
  );
  return useMemo(() => ({ outcomes, cancel }), [outcomes, cancel]);
}
