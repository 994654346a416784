// Do the outcomes of a batch add up to what was accepted?
import { count, shortName, span } from "../../lib/format";
import type { Receipt } from "../../live/batches";

/** Pods named in the line; the others are only counted. */
const PODS_NAMED = 6;

export function ReceiptLine({ receipt, expired }: { readonly receipt: Receipt; readonly expired: boolean }) {
  const { accepted, done, failed, open, redelivered, pods, took } = receipt;
  return (
    <p className="batch-line" data-open={open > 0 && !expired} data-testid="receipt">
      <strong className="numbers">
        {count(accepted)} accepted = {count(done)} done + {count(failed)} failed
        {open > 0 && ` + ${count(open)} ${expired ? "unknown" : "on the way"}`}
      </strong>
      {pods.length > 0 && (
        <span className="batch-pods numbers">
          by{" "}
          {pods.slice(0, PODS_NAMED).map(([name, outcomes]) => (
            <span key={name} className="batch-pod" title={name}>
              <span className="mono">{shortName(name)}</span> {count(outcomes)}
            </span>
          ))}
          {pods.length > PODS_NAMED && <span className="muted">and {count(pods.length - PODS_NAMED)} more</span>}
        </span>
      )}
      {redelivered > 0 && <span className="batch-redelivered numbers">redelivered {count(redelivered)}</span>}
      {took !== null && <span className="muted numbers">in {span(took)}</span>}
      {expired && <span className="muted">The service no longer has this batch.</span>}
    </p>
  );
}
