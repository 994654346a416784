// How is the result of one image shown?
import { memo, useState } from "react";

import type { Job } from "../../api/types";
import { percent, shortName } from "../../lib/format";

/** Longest side, in pixels, of images shown with hard edges: scaled smoothly, 28 × 28 pixels look blurred. */
const PIXELATED_MAX = 64;
/** Longest label shown in the large size of a single glyph, in UTF-16 units. */
const GLYPH_LENGTH_MAX = 2;

interface Props {
  readonly job: Job;
  /** Object URL of the image; `null` where another client sent it. */
  readonly picture: string | null;
  readonly romanised: ReadonlyMap<string, string>;
}

export const ResultTile = memo(function ResultTile({ job, picture, romanised }: Props) {
  return (
    <li className="result" data-state={job.state} data-job={job.id} data-worker={job.worker ?? ""}>
      <div className="result-frame">
        <Picture job={job} picture={picture} />
        {job.attempts > 1 && (
          <span className="result-attempts numbers" title="Another pod repeated the work after the first one stopped">
            attempt {job.attempts}
          </span>
        )}
      </div>
      <div className="result-answer">
        <Answer job={job} romanised={romanised} />
      </div>
      <p className="result-foot">
        <span className="result-file" title={job.filename}>
          {job.filename}
        </span>
        {job.worker && (
          <span className="mono" title={`Pod ${job.worker}`}>
            {shortName(job.worker)}
          </span>
        )}
      </p>
    </li>
  );
});

function Picture({ job, picture }: { readonly job: Job; readonly picture: string | null }) {
  const [sharp, setSharp] = useState(false);
  if (picture === null) return <span className="result-picture result-blank" aria-hidden="true" />;
  return (
    <img
      className="result-picture"
      data-sharp={sharp}
      src={picture}
      alt={`Sent: ${job.filename}`}
      loading="lazy"
      decoding="async"
      onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => {
        setSharp(Math.max(naturalWidth, naturalHeight) <= PIXELATED_MAX);
      }}
    />
  );
}

function Answer({ job, romanised }: Pick<Props, "job" | "romanised">) {
  if (job.state === "failed") return <p className="result-word error">{job.error ?? "It failed."}</p>;
  if (job.state !== "done") return <p className="result-word muted">{job.state}</p>;

  const { label = "?", confidence = 0 } = job;
  const roman = romanised.get(label);
  if (job.blank)
    return (
      <>
        <p className="result-word muted" title="A blank page, a single colour, or nothing but shading and noise">
          blank
        </p>
        <p className="result-confidence muted">
          <span>
            read as <span lang={roman ? "ja" : undefined}>{label}</span>
          </span>
        </p>
      </>
    );
  return (
    <>
      <p className="result-label">
        <span className={label.length <= GLYPH_LENGTH_MAX ? "glyph" : "word"} lang={roman ? "ja" : undefined}>
          {label}
        </span>
        {roman && <span className="result-roman">{roman}</span>}
      </p>
      <p className="result-confidence numbers">
        <span>{percent(confidence)}</span>
        <svg className="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
          <rect width="100" height="4" className="bar-track" />
          <rect width={100 * confidence} height="4" className="bar-fill" />
        </svg>
      </p>
    </>
  );
}
