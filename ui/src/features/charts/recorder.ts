// What has the service done in the last 15 minutes, as far as this page has seen?
//
// One point a second, from the events that the page receives. Nothing of it outlives the page.
import { isSettled } from "../../live/runs";
import type { Action } from "../../live/state";
import type { Queue, Scale } from "../../api/types";
import type { ServerEvent } from "../../live/decode";
import { percentile } from "./percentile";

/** Most points kept: 15 minutes at one a second. */
export const POINTS_MAX = 900;
/** Time over which the percentiles are taken, in milliseconds: those of one second would jump. */
export const TIMES_WINDOW = 10_000;
/** Most times kept for the percentiles; the oldest is removed first. */
export const TIMES_MAX = 10_000;

/** What was known at one moment; `null` where the page knew nothing. */
export interface Point {
  /** Time of the point, in milliseconds since the Unix epoch. */
  readonly at: number;
  readonly perSecond: number | null;
  readonly waiting: number | null;
  readonly running: number | null;
  /** Waiting time of the oldest waiting image, in milliseconds; 0 where none waits. */
  readonly oldest: number | null;
  readonly ready: number | null;
  readonly desired: number | null;
  /** Percentiles of the whole times of the images done in the window before, in milliseconds. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface Recorder {
  /** Takes what an action says about the service. */
  readonly observe: (action: Action) => void;
  /** Adds a point for this moment. */
  readonly sample: (at: number) => void;
  /** Returns the points, oldest first: the same array until the next one. */
  readonly points: () => readonly Point[];
  /** Calls `listener` after each new point, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
}

export function createRecorder(): Recorder {
  const listeners = new Set<() => void>();
  const ready = new Set<string>();
  let open = false;
  let queue: Queue | null = null;
  let scale: Scale | null = null;
  let times: { readonly at: number; readonly ms: number }[] = [];
  let points: readonly Point[] = [];

  const forget = () => {
    ready.clear();
    queue = null;
    scale = null;
  };
  const take = (event: ServerEvent, at: number) => {
    switch (event.type) {
      case "queue":
        queue = event.queue;
        break;
      case "scale":
        scale = event.scale;
        break;
      case "pod":
        if (event.pod.phase === "ready") ready.add(event.pod.name);
        else ready.delete(event.pod.name);
        break;
      case "job":
        if (isSettled(event.job) && event.job.inference_ms !== undefined)
          times.push({ at, ms: (event.job.queued_ms ?? 0) + event.job.inference_ms });
        break;
      case "reset":
        forget();
    }
  };

  return {
    observe: (action) => {
      if (action.type === "connection") open = action.connection === "open";
      if (action.type === "events") for (const event of action.events) take(event, action.at);
      if (times.length > TIMES_MAX) times = times.slice(-TIMES_MAX);
      if (action.type === "signed out") {
        forget();
        times = [];
        points = [];
      }
    },
    sample: (at) => {
      times = times.filter((time) => at - time.at < TIMES_WINDOW);
      const sorted = times.map(({ ms }) => ms).sort((a, b) => a - b);
      // Without a connection the counts are those of some time ago: a gap is true.
      const counts = open ? queue : null;
      const pods = open ? scale : null;
      const point = {
        at,
        perSecond: counts?.per_second ?? null,
        waiting: counts?.waiting ?? null,
        running: counts?.running ?? null,
        oldest: counts && (counts.oldest_ms ?? 0),
        ready: pods && ready.size,
        desired: pods?.desired ?? null,
        p50: percentile(sorted, 0.5),
        p95: percentile(sorted, 0.95),
        p99: percentile(sorted, 0.99),
      };
      points = [...points.slice(1 - POINTS_MAX), point];
      for (const listener of listeners) listener();
    },
    points: () => points,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
