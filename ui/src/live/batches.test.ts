import { describe, expect, it } from "vitest";

import { aBatch, aDoneJob, aJob } from "../test/fakes";
import { addBatch, removeSettled, updateJobs, isOpen, jobsOf, receipt } from "./batches";
import { BATCHES_MAX, START, OTHER_JOBS_MAX } from "./state";

describe("a receipt", () => {
  it("adds up, and counts outcomes by pod and redelivered jobs", () => {
    const jobs = [
      aDoneJob({ id: "1", worker: "a" }),
      aDoneJob({ id: "2", worker: "b", attempts: 2, queued_ms: 800, inference_ms: 4 }),
      aDoneJob({ id: "3", worker: "b" }),
      aJob({ id: "4", state: "failed", worker: "a", attempts: 3 }),
      aJob({ id: "5", state: "running", worker: "a", attempts: 1 }),
    ];

    const { accepted, done, failed, open, redelivered, pods, took } = receipt(jobs);

    expect(accepted).toBe(done + failed + open);
    expect([done, failed, open, redelivered]).toEqual([3, 1, 1, 2]);
    expect(pods).toEqual([
      ["a", 2],
      ["b", 2],
    ]);
    expect(took).toBeNull();
    expect(receipt(jobs.slice(0, 4)).took).toBe(804);
  });
});

describe("the state of batches", () => {
  it("keeps an outcome that came before the answer to the submission", () => {
    const early = updateJobs(START, [aDoneJob()]);

    const state = addBatch(early, aBatch(), [aJob()]);

    expect(state.jobs.get("job-1")?.state).toBe("done");
    expect(state.otherJobs.size).toBe(0);
  });

  it("keeps an outcome when an older update arrives later", () => {
    const done = updateJobs(addBatch(START, aBatch(), [aJob()]), [aDoneJob()]);

    expect(updateJobs(done, [aJob({ state: "running" })]).jobs.get("job-1")?.state).toBe("done");
  });

  it("follows a job back into the queue when its pod died", () => {
    const running = updateJobs(addBatch(START, aBatch(), [aJob()]), [aJob({ state: "running", attempts: 1 })]);

    expect(updateJobs(running, [aJob({ state: "queued", attempts: 1 })]).jobs.get("job-1")?.state).toBe("queued");
  });

  it("keeps the jobs in the order in which they were sent", () => {
    const jobs = ["b", "a", "c"].map((id) => aJob({ id }));
    const batch = aBatch({ jobs: jobs.map(({ id }) => id) });

    const state = updateJobs(addBatch(START, batch, jobs), [aDoneJob({ id: "c" })]);

    expect(jobsOf(batch, state.jobs).map(({ id }) => id)).toEqual(["b", "a", "c"]);
  });

  it("keeps BATCHES_MAX batches, and only their jobs", () => {
    let state = START;
    for (let i = 0; i < BATCHES_MAX + 2; i += 1) {
      const [id, job] = [`batch-${i}`, `job-${i}`];
      state = addBatch(state, aBatch({ id, jobs: [job] }), [aJob({ id: job, batch: id })]);
    }

    expect(state.batches).toHaveLength(BATCHES_MAX);
    expect(state.batches[0]?.id).toBe(`batch-${BATCHES_MAX + 1}`);
    expect(state.jobs.size).toBe(BATCHES_MAX);
  });

  it("keeps the newest OTHER_JOBS_MAX jobs of other clients", () => {
    const jobs = Array.from({ length: OTHER_JOBS_MAX + 10 }, (_, i) => aJob({ id: `other-${i}` }));

    const { otherJobs } = updateJobs(START, jobs);

    expect(otherJobs.size).toBe(OTHER_JOBS_MAX);
    expect(otherJobs.has("other-0")).toBe(false);
  });

  it("removes settled batches and keeps open ones", () => {
    const over = addBatch(START, aBatch({ id: "over", jobs: ["1"] }), [aDoneJob({ id: "1" })]);
    const both = addBatch(over, aBatch({ id: "open", jobs: ["2"] }), [aJob({ id: "2" })]);

    const state = removeSettled(both);

    expect(state.batches.map(({ id }) => id)).toEqual(["open"]);
    expect([...state.jobs.keys()]).toEqual(["2"]);
  });

  it("counts an expired batch as closed", () => {
    const jobs = new Map([["job-1", aJob()]]);

    expect(isOpen(aBatch(), jobs)).toBe(true);
    expect(isOpen(aBatch({ expired: true }), jobs)).toBe(false);
  });
});
