import { expect, it } from "vitest";

import type { Job } from "../../api/types";
import { aDoneJob, aJob, SUBMITTED as START } from "../../test/fakes";
import { timelineOf, type Timeline } from "./layout";

const at = (ms: number) => START + ms;
const done = (id: string, worker: string, from: number, to: number, more: Partial<Job> = {}) =>
  aDoneJob({ id, worker, queued_ms: from, settled: at(to), ...more });

function laidOut(jobs: readonly Job[], now = 0): Timeline {
  const timeline = timelineOf(jobs, START + now);
  if (timeline === null) throw new Error("there is no timeline");
  return timeline;
}

/** 21 images on two pods; "a" is killed at 400 ms with three images in work, which "c" and "b" repeat. */
function killedRun(): Job[] {
  const first = Array.from({ length: 9 }, (_, i) => done(`a${i}`, "a", i * 40, i * 40 + 40));
  const second = Array.from({ length: 9 }, (_, i) => done(`b${i}`, "b", i * 40, i * 40 + 40));
  const lost = [{ worker: "a", began: at(360), ended: at(400), cause: "stopped" as const }];
  const again = ["b", "c", "c"].map((pod, i) => done(`x${i}`, pod, 500 + i, 560 + i, { attempts: 2, lost }));
  return [...first, ...second, ...again];
}

it("tells of 21 images on two pods, one of them killed, in one picture", () => {
  const { lanes, arrows, from, to } = laidOut(killedRun());

  expect(lanes.map(({ pod, done, marks }) => [pod, done, marks])).toEqual([
    ["a", 9, [{ at: START + 400, cause: "stopped", images: 3 }]],
    ["b", 10, []],
    ["c", 2, []],
  ]);
  expect(lanes.reduce((sum, lane) => sum + lane.done, 0)).toBe(21);
  expect(arrows.map((arrow) => [arrow.from.lane, arrow.to.lane])).toEqual([
    [0, 1],
    [0, 2],
    [0, 2],
  ]);
  expect([from, to].map((time) => time - START)).toEqual([0, 562]);
});

it("is the same for the same jobs in another order, as after a reload", () => {
  const [one, other] = [laidOut(killedRun()), laidOut(killedRun().reverse())];

  expect(other.lanes.map(({ pod, rows }) => [pod, rows])).toEqual(one.lanes.map(({ pod, rows }) => [pod, rows]));
  expect(other.arrows).toHaveLength(one.arrows.length);
});

it("gives images in work at the same time rows of their own, and uses a row again", () => {
  const { lanes } = laidOut([done("1", "a", 0, 10), done("2", "a", 0, 10), done("3", "a", 10, 20)]);

  expect(lanes[0]?.rows).toBe(2);
  expect(lanes[0]?.blocks.map(({ row }) => row)).toEqual([0, 1, 0]);
});

it("shows waiting images after the pods", () => {
  const { lanes } = laidOut([aJob({ id: "1" }), done("2", "a", 5, 10)], 30);

  expect(lanes.map(({ pod }) => pod)).toEqual(["a", null]);
});

it("needs no room beyond the widest batch, however many images there are", () => {
  const jobs = Array.from({ length: 5_000 }, (_, i) => done(`${i}`, "a", i % 100, 1_000));

  expect(laidOut(jobs).lanes[0]?.rows).toBe(16);
});

it("is none without jobs", () => {
  expect(timelineOf([], 0)).toBeNull();
});
