// What became of the pictures?
import { memo } from "react";

import type { Job } from "../../api/types";
import { count } from "../../app/format";
import { isOpen, jobsOf } from "../../live/ledger";
import type { State } from "../../live/state";
import { Batch } from "./Batch";
import { ResultTile } from "./ResultTile";
import "./results.css";

/** Pictures of other senders shown, the newest of them. */
const STRANGERS_SHOWN = 24;

type Props = Pick<State, "batches" | "jobs" | "strangers"> & {
  /** Each label in Latin letters. */
  readonly romanised: ReadonlyMap<string, string>;
  readonly onClear: () => void;
};

export const ResultsPanel = memo(function ResultsPanel({ batches, jobs, strangers, romanised, onClear }: Props) {
  const over = strangers.size > 0 || batches.some((batch) => !isOpen(batch, jobs));
  return (
    <section className="results" aria-labelledby="results-title">
      <header className="panel-head">
        <h2 id="results-title">Results</h2>
        {over && (
          <button type="button" className="button small quiet" onClick={onClear}>
            Clear
          </button>
        )}
      </header>
      {batches.length === 0 && strangers.size === 0 && (
        <p className="empty">
          Nothing sent yet. Each picture will appear here with what the model reads in it, how sure it is, and which pod
          did the work.
        </p>
      )}
      {batches.map((batch) => (
        <Batch key={batch.id} batch={batch} jobs={jobsOf(batch, jobs)} romanised={romanised} />
      ))}
      {strangers.size > 0 && <Strangers jobs={[...strangers.values()]} romanised={romanised} />}
    </section>
  );
});

interface StrangersProps {
  readonly jobs: readonly Job[];
  readonly romanised: ReadonlyMap<string, string>;
}

function Strangers({ jobs, romanised }: StrangersProps) {
  const shown = jobs.slice(-STRANGERS_SHOWN).reverse();
  return (
    <article className="batch" aria-label="Images sent by others">
      <p className="batch-line">
        <strong>Sent from elsewhere</strong>
        <span className="muted numbers">
          the latest {count(shown.length)} of {count(jobs.length)}
        </span>
      </p>
      <ul className="result-grid">
        {shown.map((job) => (
          <ResultTile key={job.id} job={job} picture={null} romanised={romanised} />
        ))}
      </ul>
    </article>
  );
}
