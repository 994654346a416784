import { describe, expect, it } from "vitest";

import { aDoneJob, aJob, anAcceptedBatch, aRun, SUBMITTED } from "../test/fakes";
import { DRAWING_NAME } from "../lib/drawing";
import { reduce } from "./reducer";
import { acceptBatch, isOpen, jobsOf, receipt, removeSettled, startRun, unsent, updateJobs, withdraw } from "./runs";
import { JOBS_MAX, OTHER_JOBS_MAX, RUNS_MAX, START, type State } from "./state";

/** Returns the state after a run of these jobs was given and accepted. */
function running(jobs: readonly ReturnType<typeof aJob>[], id = "run-1", state: State = START): State {
  return acceptBatch(startRun(state, id, jobs.length, 0), id, anAcceptedBatch(jobs));
}

describe("a receipt", () => {
  it("adds up, and counts outcomes by pod and redelivered jobs", () => {
    const jobs = [
      aDoneJob({ id: "1", worker: "a" }),
      aDoneJob({ id: "2", worker: "b", attempts: 2, queued_ms: 800, inference_ms: 4 }),
      aDoneJob({ id: "3", worker: "b" }),
      aJob({ id: "4", state: "failed", worker: "a", attempts: 3 }),
      aJob({ id: "5", state: "running", worker: "a", attempts: 1 }),
    ];
    const run = aRun({ jobs: jobs.map(({ id }) => id) });

    const { accepted, done, failed, open, redelivered, pods, took } = receipt(run, jobs);

    expect(accepted).toBe(done + failed + open);
    expect([done, failed, open, redelivered]).toEqual([3, 1, 1, 2]);
    expect(pods).toEqual([
      ["a", 2],
      ["b", 2],
    ]);
    expect(took).toBeNull();
    expect(receipt(aRun({ jobs: ["1", "2", "3", "4"] }), jobs.slice(0, 4)).took).toBe(804);
  });

  it("of several requests takes from the first submission to the last outcome", () => {
    const jobs = [
      aDoneJob({ id: "1", settled: SUBMITTED + 50 }),
      aDoneJob({ id: "2", submitted: SUBMITTED + 200, settled: SUBMITTED + 210 }),
    ];

    expect(receipt(aRun({ jobs: ["1", "2"] }), jobs).took).toBe(210);
  });
});

describe("the state of runs", () => {
  it("joins the requests of one gift into one run, in the order in which they were sent", () => {
    const first = anAcceptedBatch([aJob({ id: "b" }), aJob({ id: "a" })]);
    const second = anAcceptedBatch([aJob({ id: "c", batch: "batch-2" })], { batch: { id: "batch-2", at: 5 } });
    const begun = acceptBatch(startRun(START, "run-1", 3, 0), "run-1", first);
    const state = acceptBatch(begun, "run-1", second);

    const [run = aRun()] = state.runs;

    expect(unsent(begun.runs[0] ?? run)).toBe(1);
    expect(unsent(run)).toBe(0);
    expect(jobsOf(run, state.jobs).map(({ id }) => id)).toEqual(["b", "a", "c"]);
    expect(run.batches.map(({ id }) => id)).toEqual(["batch-1", "batch-2"]);
  });

  it("removes a run of which nothing was accepted", () => {
    const given = startRun(START, "run-1", 3, 0);

    expect(withdraw(given, "run-1", 1).runs).toHaveLength(1);
    expect(withdraw(given, "run-1", 3).runs).toEqual([]);
  });

  it("keeps an outcome that came before the answer to the submission", () => {
    const state = running([aJob()], "run-1", updateJobs(START, [aDoneJob()]));

    expect(state.jobs.get("job-1")?.state).toBe("done");
    expect(state.otherJobs.size).toBe(0);
  });

  it("keeps an outcome when an older update arrives later", () => {
    const done = updateJobs(running([aJob()]), [aDoneJob()]);

    expect(updateJobs(done, [aJob({ state: "running" })]).jobs.get("job-1")?.state).toBe("done");
  });

  it("follows a job back into the queue when its pod died", () => {
    const taken = updateJobs(running([aJob()]), [aJob({ state: "running", attempts: 1 })]);

    expect(updateJobs(taken, [aJob({ state: "queued", attempts: 1 })]).jobs.get("job-1")?.state).toBe("queued");
  });

  it("keeps RUNS_MAX runs, and only their jobs", () => {
    let state = START;
    for (let i = 0; i < RUNS_MAX + 2; i += 1) state = running([aJob({ id: `job-${i}` })], `run-${i}`, state);

    expect(state.runs).toHaveLength(RUNS_MAX);
    expect(state.runs[0]?.id).toBe(`run-${RUNS_MAX + 1}`);
    expect(state.jobs.size).toBe(RUNS_MAX);
  });

  it("keeps JOBS_MAX jobs of runs, and the newest run however large", () => {
    const many = (prefix: string, amount: number) =>
      Array.from({ length: amount }, (_, i) => aJob({ id: `${prefix}-${i}` }));
    const old = running(many("old", 2), "old");

    const state = running(many("new", JOBS_MAX), "new", old);

    expect(state.runs.map(({ id }) => id)).toEqual(["new"]);
    expect(state.jobs.size).toBe(JOBS_MAX);
  });

  it("keeps the newest OTHER_JOBS_MAX jobs of other clients", () => {
    const jobs = Array.from({ length: OTHER_JOBS_MAX + 10 }, (_, i) => aJob({ id: `other-${i}` }));

    const { otherJobs } = updateJobs(START, jobs);

    expect(otherJobs.size).toBe(OTHER_JOBS_MAX);
    expect(otherJobs.has("other-0")).toBe(false);
  });

  it("removes settled runs and keeps open ones", () => {
    const both = running([aJob({ id: "2" })], "open", running([aDoneJob({ id: "1" })], "over"));

    const state = removeSettled(both);

    expect(state.runs.map(({ id }) => id)).toEqual(["open"]);
    expect([...state.jobs.keys()]).toEqual(["2"]);
  });

  it("counts an expired run as closed", () => {
    const state = running([aJob()]);
    const [run = aRun()] = reduce(state, { type: "expired", batch: "batch-1" }).runs;

    expect(isOpen(state.runs[0] ?? run, state.jobs)).toBe(true);
    expect(isOpen(run, state.jobs)).toBe(false);
  });
});

it("a drawing of this page is no result of other clients", () => {
  const state = updateJobs(START, [aDoneJob({ id: "drawn", filename: DRAWING_NAME }), aDoneJob({ id: "other" })]);

  expect([...state.otherJobs.keys()]).toEqual(["other"]);
});

it("further files of a run are given to the same run, which is open again", () => {
  const state = startRun(running([aDoneJob({ id: "1" })]), "run-1", 2, 5);

  expect(state.runs.map((run) => [run.given, unsent(run), isOpen(run, state.jobs)])).toEqual([[3, 2, true]]);
});
