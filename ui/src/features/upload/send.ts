// What came of sending these files?
import type { Api, Submission } from "../../api/client";
import { hasStrings, isFields } from "../../api/shape";
import { isPassing, type Trouble } from "../../api/trouble";
import type { Job, Rejection } from "../../api/types";
import type { BatchView } from "../../live/state";

export interface Accepted {
  readonly kind: "accepted";
  readonly batch: string;
  readonly jobs: readonly Job[];
  readonly rejected: readonly Rejection[];
}

export type Outcome =
  | Accepted
  /** The same files may be sent again after `wait` milliseconds. */
  | { readonly kind: "later"; readonly message: string; readonly wait: number }
  | { readonly kind: "refused"; readonly message: string; readonly rejected: readonly Rejection[] };

/** How long to wait where the server asks to be tried again without saying when, in milliseconds. */
export const WAIT_USUAL = 2_000;
/** The longest wait obeyed without asking the person, in milliseconds. */
export const WAIT_MAX = 60_000;

export async function send(api: Api, submission: Submission): Promise<Outcome> {
  const answer = await api.submit(submission);
  if (answer.ok) {
    const { batch, jobs, rejected } = answer.value;
    return { kind: "accepted", batch, jobs, rejected };
  }
  const { trouble } = answer;
  if (isPassing(trouble)) {
    return { kind: "later", message: trouble.message, wait: Math.min(trouble.retryAfter ?? WAIT_USUAL, WAIT_MAX) };
  }
  return { kind: "refused", message: trouble.message, rejected: rejectedIn(trouble) };
}

/** The batch as the page shows it. `urlOf` makes the address under which a file's picture can be shown. */
export function batchOf(accepted: Accepted, files: readonly File[], urlOf: (file: File) => string): BatchView {
  const byName = new Map(files.map((file) => [file.name, file]));
  const pictures = new Map<string, string>();
  for (const job of accepted.jobs) {
    const file = byName.get(job.filename);
    if (file) pictures.set(job.id, urlOf(file));
  }
  return {
    id: accepted.batch,
    jobs: accepted.jobs.map(({ id }) => id),
    rejected: accepted.rejected,
    pictures,
    forgotten: false,
  };
}

// Where no picture is left, the problem document still says what is wrong with each.
function rejectedIn(trouble: Trouble): readonly Rejection[] {
  if (!isFields(trouble.body) || !Array.isArray(trouble.body.rejected)) return [];
  return trouble.body.rejected
    .filter((entry: unknown) => hasStrings(entry, "filename", "error"))
    .map(({ filename, error }) => ({ filename: String(filename), error: String(error) }));
}
