// How is the result of one image shown?
import { memo } from "react";

import type { Job } from "../../api/types";
import { percent, shortName } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { usePicture } from "../pictures/pictures";
import { answerOf, isUnsure } from "./answer";
import { Picture } from "./Picture";

/** Longest label shown in the large size of a single glyph, in UTF-16 units. */
const GLYPH_LENGTH_MAX = 2;

interface Props {
  readonly job: Job;
  /** File of the image; `null` where another client sent it. */
  readonly file: File | null;
  readonly romanised: ReadonlyMap<string, string>;
  readonly onOpen: (job: string) => void;
}

export const ResultTile = memo(function ResultTile({ job, file, romanised, onOpen }: Props) {
  const texts = useTexts();
  const picture = usePicture(file, job);
  return (
    <li className="result" data-state={job.state} data-unsure={isUnsure(job)}>
      <button
        type="button"
        className="result-open"
        title={texts.resultTitle(job.filename, answerOf(job, romanised, texts))}
        onClick={() => {
          onOpen(job.id);
        }}
      >
        <Picture file={picture} alt="" className="result-picture" />
        <span className="result-answer">
          <Answer job={job} romanised={romanised} />
        </span>
        <span className="result-foot">
          <span className="result-file">{job.filename.slice(job.filename.lastIndexOf("/") + 1)}</span>
          {job.attempts > 1 ? (
            <span className="result-attempts numbers" title={texts.attemptHint}>
              {texts.attempt(job.attempts)}
            </span>
          ) : (
            job.worker && <span className="mono">{shortName(job.worker)}</span>
          )}
        </span>
      </button>
    </li>
  );
});

function Answer({ job, romanised }: Pick<Props, "job" | "romanised">) {
  const texts = useTexts();
  if (job.state === "failed") return <span className="result-word error">{job.error ?? texts.failedWithout}</span>;
  if (job.state !== "done") return <span className="result-word muted">{texts.jobState[job.state]}</span>;

  const { label = "?", confidence = 0 } = job;
  const roman = romanised.get(label);
  const language = roman === undefined ? undefined : "ja";
  if (job.blank)
    return (
      <>
        <span className="result-word muted" title={texts.blankHint}>
          {texts.blank}
        </span>
        <span className="result-confidence muted">
          {texts.readAs} <span lang={language}>{label}</span>
        </span>
      </>
    );
  return (
    <>
      <span className="result-label">
        <span className={label.length <= GLYPH_LENGTH_MAX ? "glyph" : "word"} lang={language}>
          {label}
        </span>
        {roman && <span className="result-roman">{roman}</span>}
      </span>
      <span className="result-confidence numbers">{percent(confidence)}</span>
    </>
  );
}
