// Which pods are there, and how are they?
import type { Api } from "../../api/client";
import { countOf } from "../../app/format";
import { useNow } from "../../app/useNow";
import type { PodView } from "../../live/state";
import { PodTile } from "./PodTile";
import "./pods.css";

interface Props {
  readonly pods: readonly PodView[];
  readonly api: Api;
  /** Whether the list is what the service says, rather than what it said before the line broke. */
  readonly live: boolean;
}

export function PodsPanel({ pods, api, live }: Props) {
  const now = useNow();
  const ready = pods.filter(({ phase }) => phase === "ready").length;
  return (
    <section className="panel pods" aria-labelledby="pods-title">
      <header className="panel-head">
        <h2 id="pods-title">Pods</h2>
        <span className="muted numbers">{pods.length > 0 && `${countOf(ready, "pod")} ready`}</span>
      </header>
      {pods.length === 0 ? (
        <p className="empty">
          {live
            ? "No pod runs. Raise the minimum, and one starts; images sent meanwhile wait safely in the queue."
            : "Waiting for the service to say which pods run."}
        </p>
      ) : (
        <ul className="pod-grid">
          {pods.map((pod) => (
            <li key={pod.name}>
              <PodTile pod={pod} now={now} api={api} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
