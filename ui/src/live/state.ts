// What is the state of the page, and how much of it is kept?
import type { Console, Job, Pod, Queue, Rejection, Run, Scale, Stop } from "../api/types";
import type { ServerEvent } from "./decode";
import type { Ending } from "./pods";
import type { Connection } from "./stream";

/** Most runs kept; the oldest is removed first. */
export const RUNS_MAX = 50;
/** Most jobs of runs kept, some 20 MB; the oldest run is removed first. */
export const JOBS_MAX = 20_000;
/** Most batches remembered as removed from view: as many as the service lists. */
export const REMOVED_MAX = 1_000;
/** Most lines of the console kept: some hours of use. */
export const CONSOLE_MAX = 200;
/** Most jobs kept that belong to no run of this page: some come before the answer to their own submission. */
export const OTHER_JOBS_MAX = 1_000;
/** Most points of the queue's history: two minutes at one a second. */
export const HISTORY_MAX = 120;

export interface PodView extends Pod {
  /** Place of the pod in the strip, from 0; it never changes. */
  readonly slot: number;
  /** Time at which this page received the end of the pod, in milliseconds since the Unix epoch; `null` before. */
  readonly goneAt: number | null;
  /** How the pod ended; `null` before its end. */
  readonly ending: Ending | null;
}

interface Entry {
  /** Number that counts up, so that a line keeps its identity while older ones are removed. */
  readonly seq: number;
  /** Time at which this page received the line, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/** What a line of the console is about: an action of the service, or a change that it told of. */
export type Happening =
  | ({ readonly kind: "command" } & Console)
  | {
      readonly kind: "pod";
      readonly name: string;
      readonly state: Pod["phase"] | Ending;
      /** Why the pod is in this state, where the service says so. */
      readonly reason: string;
    }
  | { readonly kind: "scale"; readonly scale: Scale };

export type ConsoleLine = Entry & Happening;

/** Part of a run that was sent in one request. */
export interface SentBatch {
  /** The service's id of the batch. */
  readonly id: string;
  /** Time at which the service's answer came, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/** Images that a person gave at once, in however many requests they are sent. */
export interface RunView {
  readonly id: string;
  /** Time at which the files were given, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Number of files given, without those that were withdrawn. */
  readonly given: number;
  readonly batches: readonly SentBatch[];
  /** Ids of the jobs, in the order in which they were sent. */
  readonly jobs: readonly string[];
  readonly rejected: readonly Rejection[];
  /** Files by job id, so that the page can show them. */
  readonly files: ReadonlyMap<string, File>;
  /** Whether the service no longer has one of the batches, so that its open jobs stay open. */
  readonly expired: boolean;
  /** What the service's list says of the run; `null` until it is listed. */
  readonly listed: Run | null;
  /** Whether `jobs` is complete; false for a run of the list whose jobs were not read yet. */
  readonly loaded: boolean;
}

/** Answer of the service to one request of a run. */
export interface AcceptedBatch {
  readonly batch: SentBatch;
  readonly jobs: readonly Job[];
  readonly rejected: readonly Rejection[];
  readonly files: ReadonlyMap<string, File>;
}

export interface State {
  readonly connection: Connection;
  /** Number of times that the stream was reset: events before a reset may have been missed. */
  readonly epoch: number;
  /** Pods in the order of their slots. */
  readonly pods: readonly PodView[];
  /** How the pods named here were asked to stop. */
  readonly stops: ReadonlyMap<string, Stop>;
  readonly scale: Scale | null;
  /** Why the service cannot list or control its pods; `null` where it can. */
  readonly podsError: string | null;
  readonly queue: Queue | null;
  readonly history: readonly number[];
  readonly console: readonly ConsoleLine[];
  /** Ids of the batches that the person removed from view. */
  readonly removed: ReadonlySet<string>;
  /** Runs of this page and of the service's list, newest first. */
  readonly runs: readonly RunView[];
  /** Jobs of `runs`, by id. */
  readonly jobs: ReadonlyMap<string, Job>;
  /** Jobs of other clients by id, newest last. */
  readonly otherJobs: ReadonlyMap<string, Job>;
}

export type Action =
  | { readonly type: "connection"; readonly connection: Connection }
  | { readonly type: "events"; readonly events: readonly ServerEvent[]; readonly at: number }
  | { readonly type: "given"; readonly run: string; readonly files: number; readonly at: number }
  | { readonly type: "withdrawn"; readonly run: string; readonly files: number }
  | { readonly type: "accepted"; readonly run: string; readonly accepted: AcceptedBatch }
  | { readonly type: "refreshed"; readonly jobs: readonly Job[] }
  | { readonly type: "listed"; readonly listed: readonly Run[] }
  | { readonly type: "loaded"; readonly batch: string; readonly jobs: readonly Job[] }
  | { readonly type: "expired"; readonly batch: string }
  | { readonly type: "stopping"; readonly pod: string; readonly mode: Stop }
  | { readonly type: "cleared" }
  | { readonly type: "signed out" }
  | { readonly type: "tick"; readonly at: number };

/** State of a page that has received nothing yet. */
export const START: State = {
  connection: "connecting",
  epoch: 0,
  pods: [],
  stops: new Map(),
  scale: null,
  podsError: null,
  queue: null,
  history: [],
  console: [],
  removed: new Set(),
  runs: [],
  jobs: new Map(),
  otherJobs: new Map(),
};
