// Where on the timeline is each image, pod, kill and redelivery?
//
// One lane a pod and one block an attempt; a lane has as many rows as it has blocks at the same time.
import type { Job } from "../../api/types";
import { attemptsOf, isPodLost, type Attempt, type Cause } from "./attempts";

/** Most rows of a lane; more blocks at the same time share rows. */
const ROWS_MAX = 16;

export interface Block {
  readonly attempt: Attempt;
  readonly row: number;
}

/** End of a pod that had images in work. */
export interface Mark {
  readonly at: number;
  readonly cause: Cause;
  /** Images that the pod lost. */
  readonly images: number;
}

export interface Lane {
  /** Name of the pod; `null` for the images that wait for one. */
  readonly pod: string | null;
  readonly rows: number;
  /** Blocks by the time at which they begin. */
  readonly blocks: readonly Block[];
  readonly marks: readonly Mark[];
  readonly done: number;
}

interface Point {
  readonly lane: number;
  readonly row: number;
  readonly at: number;
}

/** Way of an image from the pod that lost it to the next one. */
export interface Arrow {
  readonly job: string;
  readonly from: Point;
  readonly to: Point;
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  readonly lanes: readonly Lane[];
  readonly arrows: readonly Arrow[];
}

/** Places the attempts at these jobs; `null` where none has a time. */
export function timelineOf(jobs: readonly Job[], now: number): Timeline | null {
  const byJob = jobs.map((job) => attemptsOf(job, now));
  const all = byJob.flat().sort(inOrder);
  if (all.length === 0) return null;

  const byPod = new Map<string | null, Attempt[]>();
  for (const attempt of all) {
    const own = byPod.get(attempt.pod);
    if (own) own.push(attempt);
    else byPod.set(attempt.pod, [attempt]);
  }
  // Waiting images come last, so that no pod changes its lane once they are all taken.
  const pods = [...byPod.keys()].filter((pod) => pod !== null);
  const names = byPod.has(null) ? [...pods, null] : pods;
  const lanes = names.map((pod) => laneOf(pod, byPod.get(pod) ?? []));

  const places = new Map<Attempt, Point>();
  lanes.forEach(({ blocks }, lane) => {
    for (const { attempt, row } of blocks) places.set(attempt, { lane, row, at: attempt.from });
  });
  let [from, to] = [Infinity, -Infinity];
  for (const attempt of all) {
    from = Math.min(from, attempt.waits);
    to = Math.max(to, attempt.to);
  }
  return { from, to: Math.max(to, from + 1), lanes, arrows: byJob.flatMap((attempts) => arrowsOf(attempts, places)) };
}

// Equal times are in the order of the names, so that every page shows the same.
function inOrder(a: Attempt, b: Attempt): number {
  return a.from - b.from || a.to - b.to || compare(a.pod ?? "", b.pod ?? "") || compare(a.job, b.job);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function laneOf(pod: string | null, attempts: readonly Attempt[]): Lane {
  const ends: number[] = [];
  const blocks = attempts.map((attempt): Block => {
    const start = pod === null ? attempt.waits : attempt.from;
    let row = ends.findIndex((end) => end <= start);
    if (row < 0) row = ends.length < ROWS_MAX ? ends.length : ends.indexOf(Math.min(...ends));
    ends[row] = Math.max(ends[row] ?? 0, attempt.to);
    return { attempt, row };
  });
  const marks = new Map<number, Mark>();
  for (const { end, to } of attempts) {
    if (!isPodLost(end)) continue;
    marks.set(to, { at: to, cause: end as Cause, images: (marks.get(to)?.images ?? 0) + 1 });
  }
  const done = attempts.filter(({ end }) => end === "done").length;
  return { pod, rows: Math.max(1, ends.length), blocks, marks: [...marks.values()], done };
}

function arrowsOf(attempts: readonly Attempt[], places: ReadonlyMap<Attempt, Point>): Arrow[] {
  return attempts.slice(1).flatMap((next, i) => {
    const before = attempts[i];
    const from = before && places.get(before);
    const to = places.get(next);
    return from && to ? [{ job: next.job, from: { ...from, at: before.to }, to }] : [];
  });
}
