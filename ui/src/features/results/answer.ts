// What is the answer of a job, in words?
import type { Job } from "../../api/types";
import { percent } from "../../lib/format";
import type { Texts } from "../../text/en";

/** Confidence below which an answer is marked as unsure. */
const SURE_FROM = 0.8;

/** Whether the model is not sure of its answer. */
export function isUnsure({ state, blank, confidence = 0 }: Job): boolean {
  return state === "done" && blank !== true && confidence < SURE_FROM;
}

/** Writes the answer as one phrase: "お (o), 99.8 %". */
export function answerOf(job: Job, romanised: ReadonlyMap<string, string>, texts: Texts): string {
  if (job.state === "failed") return job.error ?? texts.failedWithout;
  if (job.state !== "done") return texts.jobState[job.state];
  const { label = "?", confidence = 0 } = job;
  const roman = romanised.get(label);
  const read = roman === undefined ? label : `${label} (${roman})`;
  return job.blank ? `${texts.blank}, ${texts.readAs} ${read}` : `${read}, ${percent(confidence)}`;
}
