// What is the state of one pod, and how is it stopped?
//
// A click anywhere on the tile kills the pod as a crash would, because the tile exists to show that nothing is lost. The
// second button drains it: the pod finishes its images first. A pod of a cluster can also be evicted, which drains it if
// the disruption budget allows that, and its log can be read.
import { useState } from "react";

import type { Api } from "../../api/client";
import type { Stop } from "../../api/types";
import { age, count, shortName } from "../../lib/format";
import type { PodView } from "../../live/state";

interface Props {
  readonly pod: PodView;
  readonly now: number;
  readonly api: Api;
  /** Called to show the pod's log. */
  readonly onLog: () => void;
}

export function PodTile({ pod, now, api, onLog }: Props) {
  const [requested, setRequested] = useState<Stop | null>(null);
  const [error, setError] = useState<string | null>(null);
  const gone = pod.phase === "gone";
  const disabled = gone || requested !== null;
  // Only a cluster has nodes. Elsewhere there is no disruption budget, and the pod logs to the output of kana itself.
  const clustered = pod.node !== undefined;

  const stop = async (mode: Stop) => {
    setRequested(mode);
    setError(null);
    const answer = await api.stopPod(pod.name, mode);
    // After a kill the tile stays disabled until the pod is gone; a draining pod may still be killed.
    if (!answer.ok) setError(answer.problem.message);
    if (!answer.ok || mode !== "kill") setRequested(null);
  };

  return (
    <article className="pod" data-pod={pod.name} data-phase={pod.phase} aria-label={`Pod ${pod.name}, ${pod.phase}`}>
      <p className="pod-head">
        <span className="pod-dot" aria-hidden="true" />
        <strong className="pod-name" title={pod.name}>
          {shortName(pod.name)}
        </strong>
        <span className="pod-age numbers" title="Age">
          {gone ? "" : age(now - pod.created)}
        </span>
      </p>
      <p className="pod-phase">
        {pod.phase}
        {pod.restarts > 0 && ` · restarted ${pod.restarts} ×`}
        {pod.node !== undefined && ` · ${pod.node}`}
      </p>
      {pod.reason !== undefined && !gone && (
        <p className="pod-reason" title={pod.reason}>
          {pod.reason}
        </p>
      )}
      <dl className="pod-counts numbers">
        <dt>completed</dt>
        <dd>{count(pod.completed)}</dd>
        <dt>in flight</dt>
        <dd>{count(pod.in_flight)}</dd>
      </dl>
      <p className="pod-buttons">
        <button
          type="button"
          className="button small danger pod-kill"
          disabled={disabled}
          aria-label={`Kill ${pod.name}`}
          title="Stop the pod at once, as a crash would"
          onClick={() => void stop("kill")}
        >
          {requested === "kill" && !gone ? "Killing …" : "Kill"}
        </button>
        <button
          type="button"
          className="button small quiet pod-drain"
          disabled={disabled || pod.phase === "stopping"}
          aria-label={`Drain ${pod.name}`}
          title="Let the pod finish its images, then stop it (SIGTERM)"
          onClick={() => void stop("delete")}
        >
          Drain
        </button>
        {clustered && (
          <>
            <button
              type="button"
              className="button small quiet"
              disabled={disabled || pod.phase === "stopping"}
              aria-label={`Evict ${pod.name}`}
              title="Drain the pod if the disruption budget allows that"
              onClick={() => void stop("evict")}
            >
              Evict
            </button>
            <button
              type="button"
              className="button small quiet"
              disabled={gone}
              aria-label={`Log of ${pod.name}`}
              title="Show the last lines of its log"
              onClick={onLog}
            >
              Log
            </button>
          </>
        )}
      </p>
      {error !== null && (
        <p className="error" role="alert">
          {error}
        </p>
      )}
    </article>
  );
}
