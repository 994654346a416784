// Between which numbers of pods may the service scale?
import type { Api } from "../../api/client";
import type { Scale } from "../../api/types";
import { Stepper } from "./Stepper";
import { useRange } from "./useRange";
import "./scale.css";

/** Highest number of pods that the service accepts. */
const PODS_MAX = 1_000;

const BY: Record<Scale["by"], string> = {
  local: "kana scales by backlog",
  hpa: "a HorizontalPodAutoscaler scales",
  keda: "KEDA scales",
  fixed: "the number is fixed",
};

export function ScalePanel({ scale, api }: { readonly scale: Scale | null; readonly api: Api }) {
  const { range, set, busy, error } = useRange(scale, api);
  // A fixed number is both bounds at once.
  const fixed = scale?.by === "fixed";
  return (
    <section className="panel scale" aria-labelledby="scale-title">
      <header className="panel-head">
        <h2 id="scale-title">Scale</h2>
        {scale && <span className="muted">{BY[scale.by]}</span>}
      </header>
      {!scale || !range ? (
        <p className="empty">Waiting for the range of the scale.</p>
      ) : (
        <>
          <div className="scale-steppers" aria-busy={busy}>
            <Stepper
              label="Min"
              value={range.min}
              from={0}
              to={PODS_MAX}
              onChange={(min) => {
                set({ min, max: fixed ? min : Math.max(min, range.max) });
              }}
            />
            <Stepper
              label="Max"
              value={range.max}
              from={1}
              to={PODS_MAX}
              onChange={(max) => {
                set({ min: fixed ? max : Math.min(range.min, max), max });
              }}
            />
          </div>
          <p className="scale-now numbers">
            <strong>{scale.current}</strong> running
            {scale.desired !== scale.current && (
              <>
                , <strong>{scale.desired}</strong> desired
              </>
            )}
          </p>
          {scale.paused !== undefined && (
            <p className="error" role="status">
              {scale.paused}
            </p>
          )}
          {error !== null && (
            <p className="error" role="alert">
              {error}
            </p>
          )}
        </>
      )}
    </section>
  );
}
