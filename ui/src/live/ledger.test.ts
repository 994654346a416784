import { describe, expect, it } from "vitest";

import { aBatch, aDoneJob, aJob } from "../test/fakes";
import { accept, clear, hear, isOpen, jobsOf, receipt } from "./ledger";
import { BATCHES_MAX, START, STRANGERS_MAX } from "./state";

describe("a receipt", () => {
  it("adds up, and names who did the work and what was redelivered", () => {
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

describe("the ledger", () => {
  it("keeps the outcome that came before the answer to the submission", () => {
    const early = hear(START, [aDoneJob()]);

    const state = accept(early, aBatch(), [aJob()]);

    expect(state.jobs.get("job-1")?.state).toBe("done");
    expect(state.strangers.size).toBe(0);
  });

  it("lets an outcome stand against older news", () => {
    const done = hear(accept(START, aBatch(), [aJob()]), [aDoneJob()]);

    expect(hear(done, [aJob({ state: "running" })]).jobs.get("job-1")?.state).toBe("done");
  });

  it("follows a job back into the queue when its pod died", () => {
    const running = hear(accept(START, aBatch(), [aJob()]), [aJob({ state: "running", attempts: 1 })]);

    expect(hear(running, [aJob({ state: "queued", attempts: 1 })]).jobs.get("job-1")?.state).toBe("queued");
  });

  it("keeps the jobs in the order in which they were sent", () => {
    const jobs = ["b", "a", "c"].map((id) => aJob({ id }));
    const batch = aBatch({ jobs: jobs.map(({ id }) => id) });

    const state = hear(accept(START, batch, jobs), [aDoneJob({ id: "c" })]);

    expect(jobsOf(batch, state.jobs).map(({ id }) => id)).toEqual(["b", "a", "c"]);
  });

  it("keeps so many batches, and only their jobs", () => {
    let state = START;
    for (let i = 0; i < BATCHES_MAX + 2; i += 1) {
      const [id, job] = [`batch-${i}`, `job-${i}`];
      state = accept(state, aBatch({ id, jobs: [job] }), [aJob({ id: job, batch: id })]);
    }

    expect(state.batches).toHaveLength(BATCHES_MAX);
    expect(state.batches[0]?.id).toBe(`batch-${BATCHES_MAX + 1}`);
    expect(state.jobs.size).toBe(BATCHES_MAX);
  });

  it("keeps so many jobs of others, the newest", () => {
    const jobs = Array.from({ length: STRANGERS_MAX + 10 }, (_, i) => aJob({ id: `stranger-${i}` }));

    const { strangers } = hear(START, jobs);

    expect(strangers.size).toBe(STRANGERS_MAX);
    expect(strangers.has("stranger-0")).toBe(false);
  });

  it("clears what is over and keeps what is on the way", () => {
    const over = accept(START, aBatch({ id: "over", jobs: ["1"] }), [aDoneJob({ id: "1" })]);
    const both = accept(over, aBatch({ id: "open", jobs: ["2"] }), [aJob({ id: "2" })]);

    const state = clear(both);

    expect(state.batches.map(({ id }) => id)).toEqual(["open"]);
    expect([...state.jobs.keys()]).toEqual(["2"]);
  });

  it("no longer waits for a batch that the service has forgotten", () => {
    const jobs = new Map([["job-1", aJob()]]);

    expect(isOpen(aBatch(), jobs)).toBe(true);
    expect(isOpen(aBatch({ forgotten: true }), jobs)).toBe(false);
  });
});
