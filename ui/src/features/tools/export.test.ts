import { describe, expect, it } from "vitest";

import { aDoneJob, aJob } from "../../test/fakes";
import { csvOf, fileName, jsonOf } from "./export";

describe("a run as a file", () => {
  it("has one line of CSV for each job, with what it lacks left empty", () => {
    const csv = csvOf([aDoneJob(), aJob({ id: "job-2", filename: "b.png" })]);

    expect(csv.split("\r\n")).toEqual([
      "\uFEFFfilename,state,label,confidence,blank,worker,attempts,queued_ms,inference_ms,error,id,batch",
      "a.png,done,お,0.9987,,kana-worker-x8k2p,1,20,2,,job-1,batch-1",
      "b.png,queued,,,,,0,,,,job-2,batch-1",
      "",
    ]);
  });

  it("quotes names, and none is computed by a spreadsheet", () => {
    const lines = csvOf([aJob({ filename: 'a "b",c.png' }), aJob({ filename: "=1+1.png" })]).split("\r\n");

    expect(lines[1]).toMatch(/^"a ""b"",c\.png",queued/);
    expect(lines[2]).toMatch(/^'=1\+1\.png,queued/);
  });

  it("is the API's own jobs as JSON", () => {
    const jobs = [aDoneJob(), aJob()];

    expect(JSON.parse(jsonOf(jobs))).toEqual(jobs);
  });

  it("is named by the time of the run", () => {
    expect(fileName(Date.UTC(2026, 11, 1, 12, 38, 31), "csv")).toBe("kana-2026-12-01T12-38-31.csv");
  });
});
