// What is the outcome of sending these files once?
import type { Api, NamedFile, Submission } from "../../api/client";
import { hasStrings, isFields } from "../../api/shape";
import { isTransient, type Problem } from "../../api/problem";
import type { Job, Rejection } from "../../api/types";
import type { AcceptedBatch } from "../../live/state";

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

/** Wait before a retry where the server names none, in milliseconds. */
export const WAIT_USUAL = 2_000;
/** Longest wait before a retry without asking the person, in milliseconds. */
export const WAIT_MAX = 60_000;

/** Submits the files once. */
export async function send(api: Api, submission: Submission): Promise<Outcome> {
  const answer = await api.submit(submission);
  if (answer.ok) {
    const { batch, jobs, rejected } = answer.value;
    return { kind: "accepted", batch, jobs, rejected };
  }
  const { problem } = answer;
  if (isTransient(problem)) {
    return { kind: "later", message: problem.message, wait: Math.min(problem.retryAfter ?? WAIT_USUAL, WAIT_MAX) };
  }
  return { kind: "refused", message: problem.message, rejected: rejectedIn(problem) };
}

/** Returns the accepted batch, with the file of each job. */
export function acceptedBatch(accepted: Accepted, files: readonly NamedFile[], at: number): AcceptedBatch {
  const byName = new Map(files.map(({ name, file }) => [name, file]));
  const sent = accepted.jobs.flatMap(({ id, filename }) => {
    const file = byName.get(filename);
    return file ? [[id, file] as const] : [];
  });
  const { batch: id, jobs, rejected } = accepted;
  return { batch: { id, at }, jobs, rejected, files: new Map(sent) };
}

// Where every file was refused, the problem document names the reason for each.
function rejectedIn(problem: Problem): readonly Rejection[] {
  if (!isFields(problem.body) || !Array.isArray(problem.body.rejected)) return [];
  return problem.body.rejected
    .filter((entry: unknown) => hasStrings(entry, "filename", "error"))
    .map(({ filename, error }) => ({ filename: String(filename), error: String(error) }));
}
