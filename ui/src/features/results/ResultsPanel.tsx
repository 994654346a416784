// What are the results of the images sent so far?
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useMemo, useRef, useState, type ReactNode } from "react";

import type { Api, NamedFile } from "../../api/client";
import { useNow } from "../../lib/useNow";
import { isOpen } from "../../live/runs";
import type { State } from "../../live/state";
import { useTexts } from "../../text/texts";
import { FilterBar } from "../tools/FilterBar";
import { EVERYTHING } from "../tools/filter";
import { RunMenu } from "../tools/RunMenu";
import { useCancel } from "../tools/useCancel";
import { Rejections } from "../upload/Rejections";
import { ResultDialog } from "./ResultDialog";
import { ResultTile } from "./ResultTile";
import { rowsOf, type Row } from "./rows";
import { RunHeader } from "./RunHeader";
import { useColumns } from "./useColumns";
import "./results.css";

/** Height of a row before it is drawn, in pixels: a row of tiles with the space below it. */
const ROW_HEIGHT = 92;
/** Rows drawn above and below those on the screen, so that scrolling shows no gap. */
const ROWS_BEYOND = 4;

type Props = Pick<State, "runs" | "jobs" | "otherJobs"> & {
  readonly api: Api;
  /** Labels of the model, in the order of the probabilities. */
  readonly labels: readonly string[];
  /** Label in Latin letters, by label. */
  readonly romanised: ReadonlyMap<string, string>;
  readonly onClear: () => void;
  readonly onAgain: (files: readonly NamedFile[]) => void;
};

export const ResultsPanel = memo(function ResultsPanel(props: Props) {
  const { api, runs, jobs, otherJobs, labels, romanised, onClear } = props;
  const texts = useTexts();
  const now = useNow();
  const scroll = useRef<HTMLDivElement>(null);
  const columns = useColumns(scroll);
  const [opened, setOpened] = useState<string | null>(null);
  const open = useCallback((job: string) => {
    setOpened(job);
  }, []);

  const [filter, setFilter] = useState(EVERYTHING);
  const cancelling = useCancel(api);
  const rows = useMemo(
    () => rowsOf({ runs, jobs, otherJobs }, columns, filter),
    [runs, jobs, otherJobs, columns, filter],
  );
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer's own state draws this component anew
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: ROWS_BEYOND,
  });
  const over = otherJobs.size > 0 || runs.some((run) => !isOpen(run, jobs));
  const job = opened === null ? undefined : (jobs.get(opened) ?? otherJobs.get(opened));
  return (
    <section className="panel results" aria-labelledby="results-title">
      <header className="panel-head">
        <h2 id="results-title">{texts.results}</h2>
        <FilterBar filter={filter} labels={labels} jobs={jobs} otherJobs={otherJobs} onFilter={setFilter} />
        <button type="button" className="button small quiet" onClick={onClear} disabled={!over}>
          {texts.clear}
        </button>
      </header>
      <div className="results-scroll" ref={scroll}>
        {rows.length === 0 && <p className="empty">{filter === EVERYTHING ? texts.resultsNone : texts.filteredOut}</p>}
        <div className="results-all" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const row = rows[index];
            if (!row) return null;
            return (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                className="results-row"
                style={{ transform: `translateY(${start}px)` }}
              >
                <RowView row={row} columns={columns} now={now} romanised={romanised} onOpen={open}>
                  {row.kind === "run" && <RunMenu api={api} run={row.run} jobs={jobs} cancelling={cancelling} />}
                </RowView>
              </div>
            );
          })}
        </div>
      </div>
      <ResultDialog
        {...props}
        job={job ?? null}
        file={fileOf(props, opened)}
        onClose={() => {
          setOpened(null);
        }}
      />
    </section>
  );
});

interface RowProps {
  readonly row: Row;
  readonly columns: number;
  readonly now: number;
  readonly romanised: ReadonlyMap<string, string>;
  readonly onOpen: (job: string) => void;
  /** What stands beside the line of a run. */
  readonly children: ReactNode;
}

function RowView({ row, columns, now, romanised, onOpen, children }: RowProps) {
  const texts = useTexts();
  switch (row.kind) {
    case "run":
      return (
        <div className="run-with-menu">
          <RunHeader row={row} now={now} />
          {children}
        </div>
      );
    case "rejected":
      return (
        <details className="run-rejected" open>
          <summary>{texts.rejectedFiles(row.run.rejected.length)}</summary>
          <Rejections rejected={row.run.rejected} />
        </details>
      );
    case "elsewhere":
      return (
        <h3 className="run-line">
          <strong>{texts.elsewhere}</strong>
          <span className="muted numbers">{texts.latestOf(row.shown, row.all)}</span>
        </h3>
      );
    case "tiles":
      return (
        <ul className="result-grid" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
          {row.results.map(({ job, file }) => (
            <ResultTile key={job.id} job={job} file={file} romanised={romanised} onOpen={onOpen} />
          ))}
        </ul>
      );
  }
}

function fileOf({ runs }: Props, job: string | null): File | null {
  if (job === null) return null;
  for (const run of runs) {
    const file = run.files.get(job);
    if (file) return file;
  }
  return null;
}
