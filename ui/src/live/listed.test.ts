import { describe, expect, it } from "vitest";

import { aDoneJob, aJob, aListedRun, anAcceptedBatch, SUBMITTED } from "../test/fakes";
import { reduce } from "./reducer";
import { START, type State } from "./state";

const listed = (state: State, ...runs: ReturnType<typeof aListedRun>[]) =>
  reduce(state, { type: "listed", listed: runs });
const loaded = (state: State, ...jobs: ReturnType<typeof aJob>[]) =>
  reduce(state, { type: "loaded", batch: "batch-1", jobs });
const event = (state: State, job: ReturnType<typeof aJob>) =>
  reduce(state, { type: "events", at: 0, events: [{ type: "job", job }] });

describe("the service's list", () => {
  it("adds runs, newest first, whose jobs are read later", () => {
    const old = aListedRun({ batch: "old", submitted: SUBMITTED - 1 });

    const state = listed(START, old, aListedRun());

    expect(state.runs.map(({ id, loaded }) => [id, loaded])).toEqual([
      ["batch-1", false],
      ["old", false],
    ]);
    expect(loaded(state, aDoneJob()).runs[0]).toMatchObject({ jobs: ["job-1"], given: 1, loaded: true });
  });

  it("adds no second run for one that this page sends, whichever is known first", () => {
    const given = reduce(START, { type: "given", run: "own", files: 1, at: 0 });
    const accept = (state: State) =>
      reduce(state, { type: "accepted", run: "own", accepted: anAcceptedBatch([aJob()]) });

    expect(listed(accept(given), aListedRun()).runs.map(({ id }) => id)).toEqual(["own"]);
    expect(accept(listed(given, aListedRun())).runs.map(({ id }) => id)).toEqual(["own"]);
  });

  it("does not bring back what the person removed", () => {
    const cleared = reduce(loaded(listed(START, aListedRun()), aDoneJob()), { type: "cleared" });

    expect(listed(cleared, aListedRun()).runs).toEqual([]);
  });
});

describe("a listed run", () => {
  it("grows by the events of its batch, as in a second tab", () => {
    const state = event(loaded(listed(START, aListedRun()), aDoneJob()), aJob({ id: "job-2" }));

    expect(state.runs[0]?.jobs).toEqual(["job-1", "job-2"]);
    expect(state.otherJobs.size).toBe(0);
  });

  it("keeps an outcome that came before its jobs were read", () => {
    const state = loaded(event(listed(START, aListedRun()), aDoneJob()), aJob());

    expect(state.jobs.get("job-1")?.state).toBe("done");
    expect(state.otherJobs.size).toBe(0);
  });
});
