// Do the outcomes of a run add up to what was given, and how far is it?
import { count, shortName } from "../../lib/format";
import { useTexts } from "../../text/texts";
import type { Row } from "./rows";

/** Pods named in the line; the others are only counted. */
const PODS_NAMED = 6;

export function RunHeader({ row, now }: { readonly row: Extract<Row, { kind: "run" }>; readonly now: number }) {
  const texts = useTexts();
  const { run, open, unsent, receipt } = row;
  const { accepted, done, failed, redelivered, pods, took } = receipt;
  const settled = done + failed;
  return (
    <div className="run" data-open={open}>
      <h3 className="run-line">
        <strong className="numbers">
          {texts.receipt(accepted, done, failed)}
          {receipt.open > 0 && ` + ${run.expired ? texts.unknown(receipt.open) : texts.onTheWay(receipt.open)}`}
        </strong>
        {unsent > 0 && <span className="numbers">{texts.unsent(unsent)}</span>}
        {took !== null && <span className="run-took numbers">{texts.took(took)}</span>}
        {open && settled > 0 && <span className="muted numbers">{progress(row, now, texts)}</span>}
        {pods.length > 0 && (
          <span className="run-pods numbers">
            {texts.by}{" "}
            {pods.slice(0, PODS_NAMED).map(([name, outcomes]) => (
              <span key={name} className="run-pod" title={name}>
                <span className="mono">{shortName(name)}</span> {count(outcomes)}
              </span>
            ))}
            {pods.length > PODS_NAMED && <span> {texts.andMore(pods.length - PODS_NAMED)}</span>}
          </span>
        )}
        {redelivered > 0 && <span className="run-redelivered numbers">{texts.redelivered(redelivered)}</span>}
        {run.expired && <span className="muted">{texts.expired}</span>}
      </h3>
      <progress
        className="run-progress"
        aria-label={texts.run(run.given)}
        max={Math.max(1, accepted + unsent)}
        value={settled}
        hidden={!open}
      />
    </div>
  );
}

function progress(
  { run, receipt, unsent }: Extract<Row, { kind: "run" }>,
  now: number,
  texts: ReturnType<typeof useTexts>,
) {
  const settled = receipt.done + receipt.failed;
  const perSecond = settled / Math.max(0.5, (now - run.startedAt) / 1_000);
  return texts.progress(perSecond, ((receipt.open + unsent) / perSecond) * 1_000);
}
