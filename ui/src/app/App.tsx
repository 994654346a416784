// How do the parts of the page fit together?
import { useCallback, useMemo, useReducer, useState } from "react";

import type { Api } from "../api/client";
import type { Status } from "../api/types";
import { ConsolePanel } from "../features/console/ConsolePanel";
import { PodsPanel } from "../features/pods/PodsPanel";
import { QueuePanel } from "../features/queue/QueuePanel";
import { ResultsPanel } from "../features/results/ResultsPanel";
import { ScalePanel } from "../features/scale/ScalePanel";
import { UploadPanel } from "../features/upload/UploadPanel";
import { useDropAnywhere } from "../features/upload/useDropAnywhere";
import { useUploads } from "../features/upload/useUploads";
import { reduce } from "../live/reducer";
import { START } from "../live/state";
import { useLive } from "../live/useLive";
import { useRefresh } from "../live/useRefresh";
import { Header } from "./Header";
import { TokenForm } from "./TokenForm";
import { usePictures } from "./usePictures";
import { useStatus } from "./useStatus";

export function App({ api }: { readonly api: Api }) {
  const [state, dispatch] = useReducer(reduce, START);
  const [attempt, setAttempt] = useState(0);
  useLive(api, dispatch, attempt);
  useRefresh(api, state, dispatch);
  usePictures(state.batches);

  const open = state.connection === "open";
  const status = useStatus(api, open);
  const uploads = useUploads(api, dispatch);
  const over = useDropAnywhere(uploads.add);
  const romanised = useMemo(() => romanisedBy(status), [status]);
  const onClear = useCallback(() => {
    dispatch({ type: "cleared" });
  }, []);

  return (
    <div className="page">
      <Header api={api} status={status} connection={state.connection} />
      {state.connection === "unauthorised" && (
        <TokenForm
          onToken={(token) => {
            api.tokens.set(token);
            setAttempt(attempt + 1);
          }}
        />
      )}
      <main className="layout" data-live={open}>
        <div className="main">
          <PodsPanel pods={state.pods} api={api} live={open} error={state.podsError} />
          <div className="images">
            <UploadPanel api={api} uploads={uploads} over={over} roomy={state.batches.length === 0} />
            <ResultsPanel
              batches={state.batches}
              jobs={state.jobs}
              otherJobs={state.otherJobs}
              romanised={romanised}
              onClear={onClear}
            />
          </div>
        </div>
        <div className="side">
          <ScalePanel scale={state.scale} api={api} />
          <QueuePanel queue={state.queue} history={state.history} />
          <ConsolePanel lines={state.console} />
        </div>
      </main>
    </div>
  );
}

function romanisedBy(status: Status | null): ReadonlyMap<string, string> {
  const { labels = [], romanised = [] } = status?.model ?? {};
  return new Map(labels.flatMap((label, i) => (romanised[i] ? [[label, romanised[i]] as const] : [])));
}
