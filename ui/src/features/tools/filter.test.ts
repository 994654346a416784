import { describe, expect, it } from "vitest";

import type { Job } from "../../api/types";
import { aDoneJob, aJob } from "../../test/fakes";
import { arranged, conditions, EVERYTHING, isHiding, type Filter } from "./filter";

const JOBS = [
  aDoneJob({ id: "sure", filename: "folder/One.png" }),
  aDoneJob({ id: "unsure", filename: "two.png", confidence: 0.5, queued_ms: 900 }),
  aDoneJob({ id: "blank", blank: true, confidence: 0.3 }),
  aDoneJob({ id: "again", label: "き", worker: "kana-worker-other", attempts: 2, queued_ms: 70 }),
  aJob({ id: "waits" }),
  aJob({ id: "failed", state: "failed", error: "no" }),
];

const shown = (differences: Partial<Filter>, jobs: readonly Job[] = JOBS) =>
  arranged(
    jobs.map((job) => ({ job })),
    { ...EVERYTHING, ...differences },
  ).map(({ job }) => job.id);

describe("a filter", () => {
  it("hides nothing and keeps the order unless something is set", () => {
    expect(shown({})).toEqual(JOBS.map(({ id }) => id));
  });

  it.each<[Partial<Filter>, string[]]>([
    [{ text: "ONE" }, ["sure"]],
    [{ label: "き" }, ["again"]],
    [{ label: "お" }, ["sure", "unsure"]],
    [{ pod: "kana-worker-other" }, ["again"]],
    [{ state: "queued" }, ["waits"]],
    [{ unsure: true }, ["unsure"]],
    [{ repeated: true }, ["again"]],
    [{ text: ".png", state: "done", unsure: true }, ["unsure"]],
  ])("with %j shows %j", (differences, ids) => {
    expect(shown(differences)).toEqual(ids);
  });

  it("puts the least certain answers first, and what has no answer last", () => {
    expect(shown({ order: "confidence" })).toEqual(["blank", "unsure", "sure", "again", "waits", "failed"]);
  });

  it("puts what took longest first", () => {
    expect(shown({ order: "time" }).slice(0, 2)).toEqual(["unsure", "again"]);
    expect(shown({ order: "time" }).at(-1)).toBe("failed");
  });

  it("counts its conditions, and an order hides nothing", () => {
    expect(conditions({ ...EVERYTHING, text: "a", pod: "p", unsure: true, order: "time" })).toBe(3);
    expect([isHiding({ ...EVERYTHING, order: "time" }), isHiding({ ...EVERYTHING, text: "a" })]).toEqual([false, true]);
  });
});
