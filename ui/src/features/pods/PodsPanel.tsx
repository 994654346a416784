// Which pods exist, and in which state is each?
import { useState } from "react";

import type { Api } from "../../api/client";
import { sentence } from "../../api/problem";
import { countOf } from "../../lib/format";
import { useNow } from "../../lib/useNow";
import type { PodView } from "../../live/state";
import { PodLog } from "./PodLog";
import { PodTile } from "./PodTile";
import "./pods.css";

interface Props {
  readonly pods: readonly PodView[];
  readonly api: Api;
  /** Whether the list is current; false while the stream is not connected. */
  readonly live: boolean;
  /** Why the service cannot list or control its pods; `null` where it can. */
  readonly error: string | null;
}

export function PodsPanel({ pods, api, live, error }: Props) {
  const now = useNow();
  const [logOf, setLogOf] = useState<string | null>(null);
  const ready = pods.filter(({ phase }) => phase === "ready").length;
  return (
    <section className="panel pods" aria-labelledby="pods-title">
      <header className="panel-head">
        <h2 id="pods-title">Pods</h2>
        <span className="muted numbers">{pods.length > 0 && `${countOf(ready, "pod")} ready`}</span>
      </header>
      {error !== null && (
        <p className="error pods-error" role="alert">
          {sentence(error)}
        </p>
      )}
      {pods.length === 0 ? (
        <p className="empty">{emptyText(live, error)}</p>
      ) : (
        <ul className="pod-grid">
          {pods.map((pod) => (
            <li key={pod.name}>
              <PodTile
                pod={pod}
                now={now}
                api={api}
                onLog={() => {
                  setLogOf(pod.name);
                }}
              />
            </li>
          ))}
        </ul>
      )}
      {logOf !== null && (
        <PodLog
          key={logOf}
          pod={logOf}
          api={api}
          onClose={() => {
            setLogOf(null);
          }}
        />
      )}
    </section>
  );
}

function emptyText(live: boolean, error: string | null): string {
  if (!live) return "Waiting for the list of pods.";
  if (error !== null) return "No pod is known to work. Images sent meanwhile wait in the durable queue.";
  return "No pod runs. Raise the minimum to start one; images sent meanwhile wait in the durable queue.";
}
