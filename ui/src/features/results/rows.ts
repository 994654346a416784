// In which rows are the results shown?
//
// The list is virtual: only the rows on the screen exist as elements, so a row is all that is needed to draw it.
import type { Job } from "../../api/types";
import { isOpen, jobsOf, receipt, unsent, type Receipt } from "../../live/runs";
import type { RunView, State } from "../../live/state";
import { arranged, EVERYTHING, isHiding } from "../tools/filter";

/** Jobs of other clients shown, the newest of them. */
export const OTHER_JOBS_SHOWN = 24;

/** Job with its file, where this page sent it. */
export interface Result {
  readonly job: Job;
  readonly file: File | null;
}

export type Row =
  | {
      readonly kind: "run";
      readonly key: string;
      readonly run: RunView;
      readonly receipt: Receipt;
      readonly open: boolean;
      readonly unsent: number;
    }
  | { readonly kind: "rejected"; readonly key: string; readonly run: RunView }
  | { readonly kind: "elsewhere"; readonly key: string; readonly shown: number; readonly all: number }
  | { readonly kind: "tiles"; readonly key: string; readonly results: readonly Result[] };

/** Lists the rows of the results that the filter shows, newest run first, with so many tiles in a row. */
export function rowsOf(
  { runs, jobs, otherJobs }: Pick<State, "runs" | "jobs" | "otherJobs">,
  columns: number,
  filter = EVERYTHING,
): Row[] {
  const rows: Row[] = [];
  const hiding = isHiding(filter);
  for (const run of runs) {
    const own = jobsOf(run, jobs);
    const open = isOpen(run, jobs);
    const results = own.map((job) => ({ job, file: run.files.get(job.id) ?? null }));
    const shown = arranged(results, filter);
    if (hiding && shown.length === 0) continue;
    rows.push({ kind: "run", key: run.id, run, receipt: receipt(run, own), open, unsent: unsent(run) });
    if (run.rejected.length > 0 && !hiding) rows.push({ kind: "rejected", key: `${run.id} rejected`, run });
    rows.push(...tiles(run.id, shown, columns));
  }
  const others = arranged(
    [...otherJobs.values()].reverse().map((job) => ({ job, file: null })),
    filter,
  );
  if (others.length > 0) {
    const shown = others.slice(0, OTHER_JOBS_SHOWN);
    rows.push({ kind: "elsewhere", key: "elsewhere", shown: shown.length, all: others.length });
    rows.push(...tiles("elsewhere", shown, columns));
  }
  return rows;
}

function tiles(key: string, results: readonly Result[], columns: number): Row[] {
  const rows: Row[] = [];
  for (let i = 0; i < results.length; i += columns) {
    rows.push({ kind: "tiles", key: `${key} ${i}`, results: results.slice(i, i + columns) });
  }
  return rows;
}
