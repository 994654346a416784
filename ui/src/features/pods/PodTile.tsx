// How is one pod, and how does one end it?
//
// A click anywhere on the tile kills the pod as a crash would: showing that nothing is lost is what the tile is for. The
// gentle way, which lets it finish first, is the second button. A pod on a machine of a cluster can also be evicted, which is
// gentle and asks the disruption budget first, and its log can be read.
import { useState } from "react";

import type { Api } from "../../api/client";
import type { Stop } from "../../api/types";
import { age, count, shortName } from "../../app/format";
import type { PodView } from "../../live/state";

interface Props {
  readonly pod: PodView;
  readonly now: number;
  readonly api: Api;
  /** Shows the pod's log. */
  readonly onLog: () => void;
}

export function PodTile({ pod, now, api, onLog }: Props) {
  const [asked, setAsked] = useState<Stop | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const gone = pod.phase === "gone";
  const disabled = gone || asked !== null;
  // Only a cluster has several machines; elsewhere nothing stands between a pod and its end, and its log is kana's own.
  const clustered = pod.node !== undefined;

  const stop = async (mode: Stop) => {
    setAsked(mode);
    setTrouble(null);
    const answer = await api.stopPod(pod.name, mode);
    // When it worked the tile stays disabled until the pod is gone, except that a draining pod may still be killed.
    if (!answer.ok) setTrouble(answer.trouble.message);
    if (!answer.ok || mode !== "kill") setAsked(null);
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
      <dl className="pod-numbers numbers">
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
          title="End it at once, as a crash would (SIGKILL)"
          onClick={() => void stop("kill")}
        >
          {asked === "kill" && !gone ? "Killing …" : "Kill"}
        </button>
        <button
          type="button"
          className="button small quiet pod-drain"
          disabled={disabled || pod.phase === "stopping"}
          aria-label={`Drain ${pod.name}`}
          title="Let it finish what it holds, then end it (SIGTERM)"
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
              title="Drain it if the disruption budget allows that"
              onClick={() => void stop("evict")}
            >
              Evict
            </button>
            <button
              type="button"
              className="button small quiet"
              disabled={gone}
              aria-label={`Log of ${pod.name}`}
              title="Read what it wrote last"
              onClick={onLog}
            >
              Log
            </button>
          </>
        )}
      </p>
      {trouble !== null && (
        <p className="trouble" role="alert">
          {trouble}
        </p>
      )}
    </article>
  );
}
