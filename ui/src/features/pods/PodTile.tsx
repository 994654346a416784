// What is the state of one pod, at a glance?
//
// The tile opens the pod's details; only its button kills.
import type { Api } from "../../api/client";
import type { Stop } from "../../api/types";
import { count, shortName } from "../../lib/format";
import { isFault } from "../../live/pods";
import type { PodView } from "../../live/state";
import { useTexts } from "../../text/texts";
import { KillButton } from "./KillButton";
import { useStop } from "./useStop";

export interface PodProps {
  readonly pod: PodView;
  readonly now: number;
  readonly api: Api;
  readonly refused: boolean;
  /** Called to show the pod's details. */
  readonly onOpen: () => void;
  readonly onStopping: (pod: string, mode: Stop) => void;
}

export function PodTile({ pod, now, api, refused, onOpen, onStopping }: PodProps) {
  const texts = useTexts();
  const control = useStop(pod, api, (mode) => {
    onStopping(pod.name, mode);
  });
  const gone = pod.phase === "gone";
  const state = pod.ending === null ? texts.phase[pod.phase] : texts.ending[pod.ending];
  const note = control.error ?? (gone ? null : (pod.reason ?? null));
  return (
    <article
      className="pod"
      data-phase={pod.phase}
      data-fault={pod.ending !== null && isFault(pod.ending)}
      aria-label={texts.podLabel(pod.name, state)}
    >
      <button type="button" className="pod-open" onClick={onOpen}>
        <span className="visually-hidden">{texts.podDetails(pod.name)}</span>
        <span className="pod-dot" aria-hidden="true" />
        <strong className="pod-name">{shortName(pod.name)}</strong>
        <span className="pod-age numbers">{gone ? "" : texts.ageOf(now - pod.created)}</span>
        <span className="pod-phase">
          {state}
          {pod.restarts > 0 && ` · ${count(pod.restarts)} ×`}
        </span>
        <span className="pod-counts numbers">
          <span>{texts.podCompleted(pod.completed)}</span> <span>{texts.podInFlight(pod.in_flight)}</span>
        </span>
      </button>
      <KillButton name={pod.name} gone={gone} refused={refused} control={control} />
      {note !== null && (
        <p
          className={control.error === null ? "pod-note" : "pod-note error"}
          title={note}
          role={control.error === null ? undefined : "alert"}
        >
          {note}
        </p>
      )}
    </article>
  );
}
