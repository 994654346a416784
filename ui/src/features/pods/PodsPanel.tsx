// Which pods are there, and how are they?
import { useState } from "react";

import type { Api } from "../../api/client";
import { sentence } from "../../api/trouble";
import { countOf } from "../../app/format";
import { useNow } from "../../app/useNow";
import type { PodView } from "../../live/state";
import { PodLog } from "./PodLog";
import { PodTile } from "./PodTile";
import "./pods.css";

interface Props {
  readonly pods: readonly PodView[];
  readonly api: Api;
  /** Whether the list is what the service says, rather than what it said before the line broke. */
  readonly live: boolean;
  /** What keeps the service from seeing or steering its pods; `null` where nothing does. */
  readonly trouble: string | null;
}

export function PodsPanel({ pods, api, live, trouble }: Props) {
  const now = useNow();
  const [read, setRead] = useState<string | null>(null);
  const ready = pods.filter(({ phase }) => phase === "ready").length;
  return (
    <section className="panel pods" aria-labelledby="pods-title">
      <header className="panel-head">
        <h2 id="pods-title">Pods</h2>
        <span className="muted numbers">{pods.length > 0 && `${countOf(ready, "pod")} ready`}</span>
      </header>
      {trouble !== null && (
        <p className="trouble pods-trouble" role="alert">
          {sentence(trouble)}
        </p>
      )}
      {pods.length === 0 ? (
        <p className="empty">{emptiness(live, trouble)}</p>
      ) : (
        <ul className="pod-grid">
          {pods.map((pod) => (
            <li key={pod.name}>
              <PodTile
                pod={pod}
                now={now}
                api={api}
                onLog={() => {
                  setRead(pod.name);
                }}
              />
            </li>
          ))}
        </ul>
      )}
      {read !== null && (
        <PodLog
          key={read}
          pod={read}
          api={api}
          onClose={() => {
            setRead(null);
          }}
        />
      )}
    </section>
  );
}

function emptiness(live: boolean, trouble: string | null): string {
  if (!live) return "Waiting for the service to say which pods run.";
  if (trouble !== null) return "The service cannot say which pods run. Images sent meanwhile wait safely in the queue.";
  return "No pod runs. Raise the minimum, and one starts; images sent meanwhile wait safely in the queue.";
}
