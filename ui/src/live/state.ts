// What does the page know, and how much of it does it keep?
import type { Console, Job, Pod, Queue, Rejection, Scale } from "../api/types";
import type { ServerEvent } from "./decode";
import type { Connection } from "./reader";

/** Batches shown; the oldest goes first. A person looks back at the last few. */
export const BATCHES_MAX = 12;
/** Lines of the console kept: a morning of scaling and killing. */
export const CONSOLE_MAX = 200;
/** Jobs remembered that no batch of this page claims: those that overtake the answer to their own submission. */
export const STRANGERS_MAX = 1_000;
/** How long a pod that has ended stays visible, in milliseconds: long enough to see which one it was. */
export const GONE_SHOWN = 6_000;
/** Points of the queue's recent past: two minutes at one a second. */
export const HISTORY_MAX = 120;

export interface PodView extends Pod {
  /** When this page heard that it ended; `null` while it lives. */
  readonly goneAt: number | null;
}

export interface ConsoleLine extends Console {
  /** Counts up, so that a line keeps its identity while older ones fall off. */
  readonly seq: number;
}

export interface BatchView {
  readonly id: string;
  /** Its jobs, in the order in which they were sent. */
  readonly jobs: readonly string[];
  readonly rejected: readonly Rejection[];
  /** Object URLs of the pictures, by job. */
  readonly pictures: ReadonlyMap<string, string>;
  /** The service knows nothing of it any more, so what is open stays open. */
  readonly forgotten: boolean;
}

export interface State {
  readonly connection: Connection;
  /** Counts how often the stream began anew: what happened before may have been missed. */
  readonly epoch: number;
  /** Oldest first. */
  readonly pods: readonly PodView[];
  readonly scale: Scale | null;
  /** What keeps the service from seeing or steering its pods; `null` where nothing does. */
  readonly trouble: string | null;
  readonly queue: Queue | null;
  readonly history: readonly number[];
  readonly console: readonly ConsoleLine[];
  /** Newest first. */
  readonly batches: readonly BatchView[];
  /** The jobs of `batches`, by id. */
  readonly jobs: ReadonlyMap<string, Job>;
  /** Jobs that others sent, newest last. */
  readonly strangers: ReadonlyMap<string, Job>;
}

export type Action =
  | { readonly type: "connection"; readonly connection: Connection }
  | { readonly type: "events"; readonly events: readonly ServerEvent[]; readonly at: number }
  | { readonly type: "accepted"; readonly batch: BatchView; readonly jobs: readonly Job[] }
  | { readonly type: "refreshed"; readonly jobs: readonly Job[] }
  | { readonly type: "forgotten"; readonly batch: string }
  | { readonly type: "cleared" }
  | { readonly type: "tick"; readonly at: number };

export const START: State = {
  connection: "connecting",
  epoch: 0,
  pods: [],
  scale: null,
  trouble: null,
  queue: null,
  history: [],
  console: [],
  batches: [],
  jobs: new Map(),
  strangers: new Map(),
};
