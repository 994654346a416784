// What are the results of the images sent so far?
import { memo } from "react";

import type { Job } from "../../api/types";
import { count } from "../../lib/format";
import { isOpen, jobsOf } from "../../live/batches";
import type { State } from "../../live/state";
import { Batch } from "./Batch";
import { ResultTile } from "./ResultTile";
import "./results.css";

/** Jobs of other clients shown, the newest of them. */
const OTHER_JOBS_SHOWN = 24;

type Props = Pick<State, "batches" | "jobs" | "otherJobs"> & {
  /** Label in Latin letters, by label. */
  readonly romanised: ReadonlyMap<string, string>;
  readonly onClear: () => void;
};

export const ResultsPanel = memo(function ResultsPanel({ batches, jobs, otherJobs, romanised, onClear }: Props) {
  const over = otherJobs.size > 0 || batches.some((batch) => !isOpen(batch, jobs));
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
      {batches.length === 0 && otherJobs.size === 0 && (
        <p className="empty">
          Nothing sent yet. Each image appears here with its label, the confidence, and the pod that classified it.
        </p>
      )}
      {batches.map((batch) => (
        <Batch key={batch.id} batch={batch} jobs={jobsOf(batch, jobs)} romanised={romanised} />
      ))}
      {otherJobs.size > 0 && <OtherJobs jobs={[...otherJobs.values()]} romanised={romanised} />}
    </section>
  );
});

interface OtherJobsProps {
  readonly jobs: readonly Job[];
  readonly romanised: ReadonlyMap<string, string>;
}

function OtherJobs({ jobs, romanised }: OtherJobsProps) {
  const shown = jobs.slice(-OTHER_JOBS_SHOWN).reverse();
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
