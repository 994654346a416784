// What is known of one result?
import { useEffect, useState } from "react";

import type { Api, NamedFile } from "../../api/client";
import type { Job } from "../../api/types";
import { CopyButton } from "../../lib/CopyButton";
import { DetailDialog } from "../../lib/DetailDialog";
import { count, percent, span } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { answerOf, isUnsure } from "./answer";
import { Picture } from "./Picture";
import { probable } from "./probable";

interface Props {
  /** Job to show; `null` while the dialog is closed. */
  readonly job: Job | null;
  readonly file: File | null;
  readonly api: Api;
  readonly labels: readonly string[];
  readonly romanised: ReadonlyMap<string, string>;
  readonly onAgain: (files: readonly NamedFile[]) => void;
  readonly onClose: () => void;
}

export function ResultDialog({ job, onClose, ...rest }: Props) {
  return (
    <DetailDialog title={job?.filename ?? null} wide onClose={onClose}>
      {job !== null && <Details key={job.id} job={job} onClose={onClose} {...rest} />}
    </DetailDialog>
  );
}

function Details({ job: known, file, api, labels, romanised, onAgain, onClose }: Props & { readonly job: Job }) {
  const texts = useTexts();
  const job = useWhole(known, api);
  const json = JSON.stringify(job, null, 2);
  return (
    <div className="detail">
      <div className="detail-picture-space">
        {file === null ? (
          <p className="muted">{texts.noPicture}</p>
        ) : (
          <Picture file={file} alt={texts.pictureAlt(job.filename)} className="detail-picture" />
        )}
        <button
          type="button"
          className="button"
          disabled={file === null}
          onClick={() => {
            if (file) onAgain([{ name: job.filename, file }]);
            onClose();
          }}
        >
          {texts.again}
        </button>
      </div>
      <div className="detail-facts">
        <p className="detail-answer" data-unsure={isUnsure(job)}>
          {answerOf(job, romanised, texts)}
          {isUnsure(job) && <span className="tag">{texts.unsure}</span>}
        </p>
        <Probable job={job} labels={labels} romanised={romanised} />
        <dl className="facts numbers">
          <Fact name={texts.state} value={texts.jobState[job.state]} />
          <Fact name={texts.pod} value={job.worker ?? "–"} />
          <Fact name={texts.attempts} value={count(job.attempts)} />
          <Fact name={texts.queued} value={job.queued_ms === undefined ? "–" : span(job.queued_ms)} />
          <Fact name={texts.inference} value={job.inference_ms === undefined ? "–" : span(job.inference_ms)} />
        </dl>
        <div className="detail-json">
          <details>
            <summary>{texts.json}</summary>
            <textarea readOnly aria-label="JSON" rows={10} spellCheck={false} value={json} />
          </details>
          <CopyButton text={json} what="JSON" />
        </div>
      </div>
    </div>
  );
}

/** Table of the most probable classes of a job. */
export function Probable({ job, labels, romanised }: Pick<Props, "labels" | "romanised"> & { readonly job: Job }) {
  const texts = useTexts();
  const top = probable(job.probabilities ?? [], labels);
  if (top.length === 0) return null;
  return (
    <table className="probable numbers">
      <caption className="visually-hidden">{texts.topFive}</caption>
      <tbody>
        {top.map(({ label, share }) => {
          const roman = romanised.get(label);
          return (
            <tr key={label}>
              <th scope="row">
                <span lang={roman && "ja"}>{label}</span> {roman && <span className="muted">{roman}</span>}
              </th>
              <td className="probable-bar" aria-hidden="true">
                <svg viewBox="0 0 100 4" preserveAspectRatio="none">
                  <rect width="100" height="4" className="bar-track" />
                  <rect width={100 * share} height="4" className="bar-fill" />
                </svg>
              </td>
              <td>{percent(share)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
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

// Events may omit what only the route of the job has.
function useWhole(known: Job, api: Api): Job {
  const [whole, setWhole] = useState<Job | null>(null);
  const { id, state } = known;
  useEffect(() => {
    let current = true;
    void api.job(id).then((answer) => {
      if (current && answer.ok) setWhole(answer.value);
    });
    return () => {
      current = false;
    };
  }, [api, id, state]);
  return whole?.state === state ? whole : known;
}
