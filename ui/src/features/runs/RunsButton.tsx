// How do runs compare: how long did each take, on how many pods, and how much faster than another?
import { useEffect, useState } from "react";

import type { Api } from "../../api/client";
import type { Run } from "../../api/types";
import { DetailDialog } from "../../lib/DetailDialog";
import { count, rate, shortName, span, timeOfDay } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { compare, slowest, type Compared } from "./compare";
import "./runs.css";

interface Props {
  readonly api: Api;
  /** Number of outcomes that the service has counted: more of them make the table be read again. */
  readonly settled: number;
}

/** Button that opens the table of the service's latest runs. */
export function RunsButton({ api, settled }: Props) {
  const { runTable: texts } = useTexts();
  const [open, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        className="button small quiet"
        onClick={() => {
          setOpen(true);
        }}
      >
        {texts.open}
      </button>
      <DetailDialog
        title={open ? texts.title : null}
        wide
        onClose={() => {
          setOpen(false);
        }}
      >
        {open && <RunTable api={api} settled={settled} />}
      </DetailDialog>
    </>
  );
}

function RunTable({ api, settled }: Props) {
  const { runTable: texts } = useTexts();
  const [runs, setRuns] = useState<readonly Run[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    void api.batches().then((answer) => {
      if (!current) return;
      if (answer.ok) setRuns(answer.value);
      setError(answer.ok ? null : answer.problem.message);
    });
    return () => {
      current = false;
    };
  }, [api, settled]);

  const against = chosen ?? slowest(runs ?? []);
  return (
    <div className="run-table">
      <p className="muted">{texts.hint}</p>
      {error !== null && (
        <p className="error" role="alert">
          {error}
        </p>
      )}
      {runs?.length === 0 && <p className="empty">{texts.none}</p>}
      {runs !== null && runs.length > 0 && (
        <div className="run-table-scroll">
          <table className="numbers">
            <thead>
              <tr>
                {[texts.run, texts.images, texts.pods, texts.again, texts.took, texts.perSecond, texts.speedUp].map(
                  (name) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ),
                )}
                <th scope="col">{texts.against}</th>
              </tr>
            </thead>
            <tbody>
              {compare(runs, against).map((compared) => (
                <RunRow
                  key={compared.run.batch}
                  compared={compared}
                  chosen={compared.run.batch === against}
                  onChoose={setChosen}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

interface RowProps {
  readonly compared: Compared;
  readonly chosen: boolean;
  readonly onChoose: (batch: string) => void;
}

function RunRow({ compared: { run, over, perSecond, speedUp }, chosen, onChoose }: RowProps) {
  const { runTable: texts, language } = useTexts();
  const name = run.name ?? timeOfDay(run.submitted, language);
  const { done, failed } = run.counts;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{over ? texts.done(done, failed) : texts.underWay(done + failed, run.accepted)}</td>
      <td title={run.workers.map(shortName).join(", ")}>{count(run.workers.length)}</td>
      <td>{count(run.redelivered)}</td>
      <td>{run.elapsed_ms === undefined ? "–" : span(run.elapsed_ms)}</td>
      <td>{perSecond === null ? "–" : rate(perSecond)}</td>
      <td>{speedUp === null ? "–" : texts.times(speedUp)}</td>
      <td>
        <label className="run-against">
          <input
            type="radio"
            name="against"
            checked={chosen}
            disabled={!over}
            aria-label={texts.compareWith(name)}
            onChange={() => {
              onChoose(run.batch);
            }}
          />
        </label>
      </td>
    </tr>
  );
}
