// What is known of one pod, and how else can it be stopped?
import type { Api } from "../../api/client";
import type { Stop } from "../../api/types";
import { DetailDialog } from "../../lib/DetailDialog";
import { count } from "../../lib/format";
import type { PodView } from "../../live/state";
import { useTexts } from "../../text/texts";
import { PodLog } from "./PodLog";
import { useStop } from "./useStop";

interface Props {
  /** Pod to show; `null` while the dialog is closed. */
  readonly pod: PodView | null;
  /** Whether the pod is still in the list. */
  readonly listed: boolean;
  readonly now: number;
  readonly api: Api;
  readonly refused: boolean;
  readonly onStopping: (pod: string, mode: Stop) => void;
  readonly onClose: () => void;
}

export function PodDialog({ pod, onClose, ...rest }: Props) {
  return (
    <DetailDialog title={pod?.name ?? null} onClose={onClose}>
      {pod !== null && <Details key={pod.name} pod={pod} {...rest} />}
    </DetailDialog>
  );
}

function Details({
  pod,
  listed,
  now,
  api,
  refused,
  onStopping,
}: Omit<Props, "pod" | "onClose"> & { readonly pod: PodView }) {
  const texts = useTexts();
  const control = useStop(pod, api, (mode) => {
    onStopping(pod.name, mode);
  });
  const gone = !listed || pod.phase === "gone";
  const state = pod.ending === null ? texts.phase[gone ? "gone" : pod.phase] : texts.ending[pod.ending];
  // Only a cluster has nodes. Elsewhere there is no disruption budget.
  const clustered = pod.node !== undefined;
  const button = (mode: Stop, text: string, hint: string) => (
    <button
      type="button"
      className={mode === "kill" ? "button danger" : "button"}
      disabled={gone || refused || control.killing || (mode !== "kill" && pod.phase === "stopping")}
      title={refused ? texts.refusedOperate : hint}
      onClick={() => {
        control.stop(mode);
      }}
    >
      {text}
    </button>
  );
  return (
    <>
      <dl className="facts numbers">
        <Fact name={texts.state} value={state} />
        <Fact name={texts.age} value={gone ? "–" : texts.ageOf(now - pod.created)} />
        <Fact name={texts.completed} value={count(pod.completed)} />
        <Fact name={texts.inFlight} value={count(pod.in_flight)} />
        {clustered && <Fact name={texts.restarts} value={count(pod.restarts)} />}
        {clustered && <Fact name={texts.node} value={pod.node ?? ""} />}
        {pod.reason !== undefined && <Fact name={texts.reason} value={pod.reason} />}
      </dl>
      {refused && <p className="muted">{texts.refusedOperate}</p>}
      {gone && !refused && <p className="muted">{texts.podGone}</p>}
      {control.error !== null && (
        <p className="error" role="alert">
          {control.error}
        </p>
      )}
      <p className="dialog-buttons">
        {button("delete", texts.drain, texts.drainHint)}
        {clustered && button("evict", texts.evict, texts.evictHint)}
        {button("kill", control.killing ? texts.killing : texts.kill, texts.killHint)}
      </p>
      {(!clustered || !gone) && <PodLog pod={pod.name} api={api} />}
    </>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
