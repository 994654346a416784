import { describe, expect, it } from "vitest";

import { en } from "../../text/en";
import { aDoneJob, aJob, aRun } from "../../test/fakes";
import { answerOf, isUnsure } from "./answer";
import { probable } from "./probable";
import { OTHER_JOBS_SHOWN, rowsOf } from "./rows";

describe("the rows of the results", () => {
  it("are a receipt, what was rejected, and the tiles of each run", () => {
    const jobs = new Map(["1", "2", "3"].map((id) => [id, aDoneJob({ id })]));
    const run = aRun({ jobs: ["1", "2", "3"], rejected: [{ filename: "x", error: "no" }] });

    const rows = rowsOf({ runs: [run], jobs, otherJobs: new Map() }, 2);

    expect(rows.map(({ kind }) => kind)).toEqual(["run", "rejected", "tiles", "tiles"]);
    expect(rows.flatMap((row) => (row.kind === "tiles" ? row.results.map(({ job }) => job.id) : []))).toEqual([
      "1",
      "2",
      "3",
    ]);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });

  it("end with the newest jobs of other clients, newest first", () => {
    const otherJobs = new Map(Array.from({ length: 100 }, (_, i) => [`${i}`, aJob({ id: `${i}` })]));

    const rows = rowsOf({ runs: [], jobs: new Map(), otherJobs }, OTHER_JOBS_SHOWN);

    expect(rows[0]).toMatchObject({ kind: "elsewhere", shown: OTHER_JOBS_SHOWN, all: 100 });
    expect(rows[1]?.kind === "tiles" && rows[1].results[0]?.job.id).toBe("99");
  });
});

describe("an answer", () => {
  const romanised = new Map([["お", "o"]]);

  it("says label, romanisation and confidence in one phrase, and blank in place of a confidence", () => {
    expect(answerOf(aDoneJob(), romanised, en)).toBe("お (o), 99.8 %");
    expect(answerOf(aDoneJob({ blank: true }), romanised, en)).toBe("blank, read as お (o)");
    expect(answerOf(aJob({ state: "failed", error: "three pods died of it" }), romanised, en)).toBe(
      "three pods died of it",
    );
  });

  it("is marked where its confidence is low, and only there", () => {
    expect(isUnsure(aDoneJob({ confidence: 0.5 }))).toBe(true);
    expect(isUnsure(aDoneJob({ confidence: 0.9 }))).toBe(false);
    expect(isUnsure(aDoneJob({ confidence: 0.5, blank: true }))).toBe(false);
    expect(isUnsure(aJob())).toBe(false);
  });

  it("lists the five most probable classes, most first", () => {
    const top = probable([0.1, 0.5, 0.05, 0.2, 0.1, 0.05], ["a", "b", "c", "d", "e", "f"]);

    expect(top.map(({ label }) => label)).toEqual(["b", "d", "a", "e", "c"]);
  });
});
