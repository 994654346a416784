import { expect, it } from "vitest";

import { aDoneJob, aJob, SUBMITTED as START } from "../../test/fakes";
import { attemptsOf } from "./attempts";

const at = (ms: number) => START + ms;
const LOST = { worker: "a", began: at(100), ended: at(400), cause: "stopped" } as const;

const shape = (job: Parameters<typeof attemptsOf>[0], now = 0) =>
  attemptsOf(job, START + now).map(({ pod, waits, from, to, end }) => [
    pod,
    waits - START,
    from - START,
    to - START,
    end,
  ]);

it("an image that one pod classified has one attempt, from its claim to its outcome", () => {
  expect(shape(aDoneJob({ worker: "a", queued_ms: 20, settled: at(50) }))).toEqual([["a", 0, 20, 50, "done"]]);
});

it("an image whose pod was killed has an attempt of each pod, and waits in between", () => {
  const job = aDoneJob({ worker: "b", attempts: 2, queued_ms: 450, settled: at(600), lost: [LOST] });

  expect(shape(job)).toEqual([
    ["a", 0, 100, 400, "stopped"],
    ["b", 400, 450, 600, "done"],
  ]);
});

it("an image that no pod has taken waits until now, also after it was lost", () => {
  expect(shape(aJob(), 70)).toEqual([[null, 0, 70, 70, "queued"]]);
  expect(shape(aJob({ attempts: 1, worker: "a", lost: [LOST] }), 500).at(-1)).toEqual([null, 400, 500, 500, "queued"]);
});

it("a running image ends now, and never before it began", () => {
  const job = aJob({ state: "running", worker: "b", attempts: 2, lost: [LOST] });

  expect(shape(job, 900).at(-1)).toEqual(["b", 400, 400, 900, "running"]);
  expect(shape(job, 10).at(-1)).toEqual(["b", 400, 400, 400, "running"]);
});

it("an image that failed with its last lost attempt has no attempt beyond that", () => {
  const job = aJob({ state: "failed", worker: "a", attempts: 1, settled: at(400), lost: [LOST] });

  expect(shape(job)).toEqual([["a", 0, 100, 400, "stopped"]]);
});

it("an image without times has no attempts", () => {
  const without = aJob();
  delete without.submitted;

  expect(shape(without)).toEqual([]);
});
