// What is the state of the page, and how much of it is kept?
import type { Console, Job, Pod, Queue, Rejection, Scale } from "../api/types";
import type { ServerEvent } from "./decode";
import type { Connection } from "./stream";

/** Most batches kept; the oldest is removed first. */
export const BATCHES_MAX = 12;
/** Most lines of the console kept: some hours of use. */
export const CONSOLE_MAX = 200;
/** Most jobs kept that belong to no batch of this page: some come before the answer to their own submission. */
export const OTHER_JOBS_MAX = 1_000;
/** Time for which an ended pod stays visible, in milliseconds: enough to see which one it was. */
export const GONE_SHOWN = 6_000;
/** Most points of the queue's history: two minutes at one a second. */
export const HISTORY_MAX = 120;

export interface PodView extends Pod {
  /** Time at which this page received the end of the pod, in milliseconds since the Unix epoch; `null` before. */
  readonly goneAt: number | null;
}

export interface ConsoleLine extends Console {
  /** Number that counts up, so that a line keeps its identity while older ones are removed. */
  readonly seq: number;
}

export interface BatchView {
  readonly id: string;
  /** Ids of the jobs, in the order in which they were sent. */
  readonly jobs: readonly string[];
  readonly rejected: readonly Rejection[];
  /** Object URLs of the images, by job id. */
  readonly pictures: ReadonlyMap<string, string>;
  /** Whether the service no longer has the batch, so that its open jobs stay open. */
  readonly expired: boolean;
}

export interface State {
  readonly connection: Connection;
  /** Number of times that the stream was reset: events before a reset may have been missed. */
  readonly epoch: number;
  /** Pods, oldest first. */
  readonly pods: readonly PodView[];
  readonly scale: Scale | null;
  /** Why the service cannot list or control its pods; `null` where it can. */
  readonly podsError: string | null;
  readonly queue: Queue | null;
  readonly history: readonly number[];
  readonly console: readonly ConsoleLine[];
  /** Batches of this page, newest first. */
  readonly batches: readonly BatchView[];
  /** Jobs of `batches`, by id. */
  readonly jobs: ReadonlyMap<string, Job>;
  /** Jobs of other clients by id, newest last. */
  readonly otherJobs: ReadonlyMap<string, Job>;
}

export type Action =
  | { readonly type: "connection"; readonly connection: Connection }
  | { readonly type: "events"; readonly events: readonly ServerEvent[]; readonly at: number }
  | { readonly type: "accepted"; readonly batch: BatchView; readonly jobs: readonly Job[] }
  | { readonly type: "refreshed"; readonly jobs: readonly Job[] }
  | { readonly type: "expired"; readonly batch: string }
  | { readonly type: "cleared" }
  | { readonly type: "tick"; readonly at: number };

/** State of a page that has received nothing yet. */
export const START: State = {
  connection: "connecting",
  epoch: 0,
  pods: [],
  scale: null,
  podsError: null,
  queue: null,
  history: [],
  console: [],
  batches: [],
  jobs: new Map(),
  otherJobs: new Map(),
};
