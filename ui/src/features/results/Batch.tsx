// What is the outcome of one batch?
import { useState } from "react";

import type { Job } from "../../api/types";
import { count, countOf } from "../../lib/format";
import { receipt } from "../../live/batches";
import type { BatchView } from "../../live/state";
import { ReceiptLine } from "./ReceiptLine";
import { ResultTile } from "./ResultTile";

/** Tiles shown before a person asks for the rest: about two screens. */
const TILES_SHOWN = 60;

interface Props {
  readonly batch: BatchView;
  readonly jobs: readonly Job[];
  readonly romanised: ReadonlyMap<string, string>;
}

export function Batch({ batch, jobs, romanised }: Props) {
  const [all, setAll] = useState(false);
  const shown = all ? jobs : jobs.slice(0, TILES_SHOWN);
  return (
    <article className="batch" aria-label={`Batch of ${countOf(jobs.length, "image")}`}>
      <ReceiptLine receipt={receipt(jobs)} expired={batch.expired} />
      {batch.rejected.length > 0 && (
        <details className="batch-rejected" open>
          <summary>{countOf(batch.rejected.length, "file")} rejected</summary>
          <ul className="rejected">
            {batch.rejected.map(({ filename, error }) => (
              <li key={filename}>
                <span className="mono">{filename}</span> {error}
              </li>
            ))}
          </ul>
        </details>
      )}
      <ul className="result-grid">
        {shown.map((job) => (
          <ResultTile key={job.id} job={job} picture={batch.pictures.get(job.id) ?? null} romanised={romanised} />
        ))}
      </ul>
      {jobs.length > shown.length && (
        <button
          type="button"
          className="button"
          onClick={() => {
            setAll(true);
          }}
        >
          Show all {count(jobs.length)}
        </button>
      )}
    </article>
  );
}
