// What does the timeline say in English?
import { count, span } from "../lib/format";
import { plural } from "./plural";

/** What the timeline says of one attempt; times in milliseconds. */
export interface TimelineAttempt {
  readonly waited: number;
  readonly took: number;
  readonly end: "queued" | "running" | "done" | "failed" | "stopped" | "crashed" | "expired";
}

/** What the timeline says of a run. */
export interface TimelineLabel {
  readonly images: number;
  readonly done: number;
  readonly pods: number;
  /** Names of the pods that ended during the run. */
  readonly ended: readonly string[];
  readonly redelivered: number;
}

const ENDS = {
  queued: "waits",
  running: "running",
  done: "done",
  failed: "failed",
  stopped: "pod killed",
  crashed: "pod crashed",
  expired: "time ran out",
};

export const timeline = {
  timeline: "Timeline",
  timelineEmpty: "Send images: each appears here as a block in the lane of the pod that classified it.",
  timelineTools: "Part of the timeline",
  timelineEarlier: "Earlier",
  timelineLater: "Later",
  timelineIn: "Zoom in",
  timelineOut: "Zoom out",
  timelineWhole: "Whole run",
  timelineTable: "Table",
  timelineQueue: "queue",
  timelinePods: "Pods of the run",
  timelineLost: "Lost",
  timelineEnd: "End",
  timelineImages: (shown: number, all: number) =>
    shown === all ? `Images of the run` : `Images of the run: ${count(shown)} of ${count(all)}`,
  timelineEnds: ENDS,
  timelineEnded: (cause: "stopped" | "crashed" | "expired" | "failed", after: string): string =>
    `${{ stopped: "killed", crashed: "crashed", expired: "ran out of time", failed: "failed" }[cause]} after ${after}`,
  timelineAttempt: (file: string, pod: string | null, { waited, took, end }: TimelineAttempt): string =>
    pod === null
      ? `${file}: waits for ${span(waited)}`
      : `${file} · ${pod} · waited ${span(waited)}, worked ${span(took)} · ${ENDS[end]}`,
  timelineLabel: ({ images, done, pods, ended, redelivered }: TimelineLabel): string =>
    `Timeline: ${plural(images, "image")} on ${plural(pods, "pod")}, ${count(done)} done` +
    (ended.length > 0 ? `; ${ended.join(", ")} ended during the run` : "") +
    (redelivered > 0 ? `; ${plural(redelivered, "image")} went on to another pod` : "") +
    ".",
};
