// How do the parts of the page fit together?
import { useCallback, useMemo, useReducer, useState } from "react";

import type { Api } from "../api/client";
import type { Status, Stop } from "../api/types";
import { useRecorder } from "../features/charts/useRecorder";
import { ConsolePanel } from "../features/console/ConsolePanel";
import { DeadLetters } from "../features/dead/DeadLetters";
import { DrawButton } from "../features/draw/DrawButton";
import { PicturesContext, pictureStore } from "../features/pictures/pictures";
import { PodsPanel } from "../features/pods/PodsPanel";
import { QueuePanel } from "../features/queue/QueuePanel";
import { ResultsPanel } from "../features/results/ResultsPanel";
import { RunsButton } from "../features/runs/RunsButton";
import { MoreSamples } from "../features/samples/MoreSamples";
import { ScalePanel } from "../features/scale/ScalePanel";
import { TimelinePanel } from "../features/timeline/TimelinePanel";
import { UploadPanel } from "../features/upload/UploadPanel";
import { useDropAnywhere } from "../features/upload/useDropAnywhere";
import { useUploads } from "../features/upload/useUploads";
import { reduce } from "../live/reducer";
import { START } from "../live/state";
import { useLive } from "../live/useLive";
import { useRuns, withRemoved } from "../live/useRuns";
import { useLost } from "../live/useLost";
import { useRefresh } from "../live/useRefresh";
import { Announcer } from "./Announcer";
import { Header } from "./Header";
import { TokenForm } from "./TokenForm";
import { useStatus } from "./useStatus";

export function App({ api }: { readonly api: Api }) {
  const [state, reduced] = useReducer(reduce, START, withRemoved);
  const [recorder, dispatch] = useRecorder(reduced);
  const [attempt, setAttempt] = useState(0);
  useLive(api, dispatch, attempt);
  useRefresh(api, state, dispatch);
  useRuns(api, state, dispatch);
  useLost(api, state.runs[0] ?? null, state.jobs, dispatch);

  const { connection } = state;
  const open = connection === "open";
  const status = useStatus(api, open);
  const uploads = useUploads(api, dispatch, open);
  const over = useDropAnywhere(uploads.add);
  const romanised = useMemo(() => romanisedBy(status), [status]);
  const labels = useMemo(() => status?.model.labels ?? [], [status]);
  const pictures = useMemo(() => pictureStore(api), [api]);
  const shown = useMemo(() => state.runs.filter(({ loaded }) => loaded), [state.runs]);
  const onClear = useCallback(() => {
    dispatch({ type: "cleared" });
  }, [dispatch]);
  const onStopping = useCallback(
    (pod: string, mode: Stop) => {
      dispatch({ type: "stopping", pod, mode });
    },
    [dispatch],
  );

  // The form stays while a token is tried, so that what was typed is not lost when the token is wrong.
  const [asked, setAsked] = useState(false);
  if (connection === "unauthorised" && !asked) setAsked(true);
  if (open && asked) setAsked(false);
  const connect = (token: string | null) => {
    if (token === null) {
      api.tokens.clear();
      dispatch({ type: "signed out" });
    } else api.tokens.set(token);
    api.access.reset();
    setAttempt(attempt + 1);
  };
  const hasToken = api.tokens.get() !== null;
  const target = useMemo(() => ({ gateway: api.gateway, hasToken }), [api, hasToken]);

  return (
    <PicturesContext value={pictures}>
      <div className="page">
        <Header
          api={api}
          status={status}
          connection={connection}
          onSignOut={
            hasToken && open
              ? () => {
                  connect(null);
                }
              : null
          }
        >
          <RunsButton api={api} settled={(state.queue?.done ?? 0) + (state.queue?.failed ?? 0)} />
          <DeadLetters api={api} dead={state.queue?.dead ?? 0} />
        </Header>
        {asked && <TokenForm wrong={connection === "unauthorised" && hasToken} onToken={connect} />}
        <main className="layout" data-live={open}>
          <PodsPanel
            pods={state.pods}
            most={state.scale?.max ?? 0}
            api={api}
            live={open}
            error={state.podsError}
            onStopping={onStopping}
          />
          <ScalePanel scale={state.scale} api={api} />
          <UploadPanel api={api} uploads={uploads} over={over} live={open}>
            <DrawButton api={api} labels={labels} romanised={romanised} />
            <MoreSamples api={api} uploads={uploads} live={open} />
          </UploadPanel>
          <ResultsPanel
            api={api}
            runs={shown}
            jobs={state.jobs}
            otherJobs={state.otherJobs}
            labels={labels}
            romanised={romanised}
            onClear={onClear}
            onAgain={uploads.add}
          />
          <QueuePanel queue={state.queue} history={state.history} recorder={recorder} />
          <TimelinePanel run={state.runs[0] ?? null} jobs={state.jobs} />
          <ConsolePanel lines={state.console} target={target} />
        </main>
        <Announcer runs={state.runs} jobs={state.jobs} />
      </div>
    </PicturesContext>
  );
}

function romanisedBy(status: Status | null): ReadonlyMap<string, string> {
  const { labels = [], romanised = [] } = status?.model ?? {};
  return new Map(labels.flatMap((label, i) => (romanised[i] ? [[label, romanised[i]] as const] : [])));
}
