// Between which numbers of pods may the service scale?
import type { Api } from "../../api/client";
import { useRefusal } from "../../api/useRefusal";
import type { Scale } from "../../api/types";
import { useTexts } from "../../text/texts";
import { BoundField } from "./BoundField";
import { useRange } from "./useRange";
import { whyOf } from "./why";
import "./scale.css";

/** Highest number of pods that the service accepts. */
const PODS_MAX = 1_000;

export function ScalePanel({ scale, api }: { readonly scale: Scale | null; readonly api: Api }) {
  const texts = useTexts();
  const { range, set, busy, error } = useRange(scale, api);
  const refused = useRefusal(api, "operate") !== null;
  // A fixed number is both bounds at once.
  const fixed = scale?.by === "fixed";
  return (
    <section className="panel scale" aria-labelledby="scale-title">
      <header className="panel-head">
        <h2 id="scale-title">{texts.scale}</h2>
        {scale && (
          <span className="scale-now numbers">
            {texts.running(scale.current)}
            {scale.desired !== scale.current && `, ${texts.desired(scale.desired)}`}
          </span>
        )}
      </header>
      {!scale || !range ? (
        <p className="empty">{texts.scaleWaiting}</p>
      ) : (
        <div className="bounds" aria-busy={busy}>
          <BoundField
            label={texts.min}
            value={range.min}
            from={0}
            to={PODS_MAX}
            disabled={refused}
            onCommit={(min) => {
              set({ min, max: fixed ? min : Math.max(min, range.max) });
            }}
          />
          <BoundField
            label={texts.max}
            value={range.max}
            from={1}
            to={PODS_MAX}
            disabled={refused}
            onCommit={(max) => {
              set({ min: fixed ? max : Math.min(range.min, max), max });
            }}
          />
        </div>
      )}
      <Notice refused={refused} error={error} scale={scale} />
    </section>
  );
}

interface NoticeProps {
  readonly refused: boolean;
  readonly error: string | null;
  readonly scale: Scale | null;
}

// One line at a time, so that the panel keeps its height: what the person can do something about comes first.
function Notice({ refused, error, scale }: NoticeProps) {
  const texts = useTexts();
  if (refused) return <p className="scale-note muted">{texts.refusedOperate}</p>;
  if (error !== null)
    return (
      <p className="scale-note error" role="alert">
        {error}
      </p>
    );
  if (scale?.paused !== undefined)
    return (
      <p className="scale-note error" role="status">
        {scale.paused}
      </p>
    );
  return scale && <p className="scale-note muted numbers">{texts.scaleWhy(scale, whyOf(scale))}</p>;
}
