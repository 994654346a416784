// Which results does the person want to see, and in which order?
import type { Job } from "../../api/types";
import { isUnsure } from "../results/answer";

export const ORDERS = ["sent", "confidence", "time"] as const;

export interface Filter {
  /** Part of the file's name, in any case; "" for every file. */
  readonly text: string;
  /** Label of the answer; "" for every label. */
  readonly label: string;
  /** Name of the pod; "" for every pod. */
  readonly pod: string;
  readonly state: Job["state"] | "";
  /** Whether only answers of which the model is unsure are shown. */
  readonly unsure: boolean;
  /** Whether only jobs with more than one attempt are shown. */
  readonly repeated: boolean;
  readonly order: (typeof ORDERS)[number];
}

/** Filter that shows everything as it was sent. */
export const EVERYTHING: Filter = {
  text: "",
  label: "",
  pod: "",
  state: "",
  unsure: false,
  repeated: false,
  order: "sent",
};

/** Number of conditions that are set beside the text. */
export function conditions(filter: Filter): number {
  const { label, pod, state, unsure, repeated, order } = filter;
  return [label !== "", pod !== "", state !== "", unsure, repeated, order !== "sent"].filter(Boolean).length;
}

/** Whether the filter hides any job. */
export function isHiding(filter: Filter): boolean {
  return filter.text !== "" || conditions({ ...filter, order: "sent" }) > 0;
}

/** Returns the jobs that the filter shows, in its order. */
export function arranged<T extends { readonly job: Job }>(results: readonly T[], filter: Filter): readonly T[] {
  const shown = isHiding(filter) ? results.filter(({ job }) => isShown(job, filter)) : results;
  switch (filter.order) {
    case "sent":
      return shown;
    case "confidence":
      return shown.toSorted((a, b) => confidenceOf(a.job) - confidenceOf(b.job));
    case "time":
      return shown.toSorted((a, b) => timeOf(b.job) - timeOf(a.job));
  }
}

function isShown(job: Job, { text, label, pod, state, unsure, repeated }: Filter): boolean {
  return (
    (text === "" || job.filename.toLowerCase().includes(text.toLowerCase())) &&
    (label === "" || (job.label === label && job.blank !== true)) &&
    (pod === "" || job.worker === pod) &&
    (state === "" || job.state === state) &&
    (!unsure || isUnsure(job)) &&
    (!repeated || job.attempts > 1)
  );
}

// What has no answer comes last.
const confidenceOf = ({ confidence = 2 }: Job) => confidence;
const timeOf = ({ queued_ms = -1, inference_ms = 0 }: Job) => queued_ms + inference_ms;
