import { describe, expect, it } from "vitest";

import type { Submission } from "../../api/client";
import type { Answer } from "../../api/problem";
import type { Receipt } from "../../api/types";
import { aNamedFile, aJob, anApi, aFailedAnswer } from "../../test/fakes";
import { deliver, TRIES_MAX, type Phase } from "./deliver";
import { acceptedBatch, WAIT_MAX } from "./send";

const ACCEPTED: Answer<Receipt> = { ok: true, value: { batch: "batch-1", jobs: [aJob()], rejected: [] } };

/** Delivers to a service that gives these answers one after the other, then repeats the last. */
async function delivered(answers: Answer<Receipt>[]) {
  const submissions: Submission[] = [];
  const phases: Phase[] = [];
  const waits: number[] = [];
  const accepted = await deliver({
    api: anApi({
      submit: (submission) => {
        submissions.push(submission);
        return Promise.resolve(answers[Math.min(submissions.length, answers.length) - 1] ?? ACCEPTED);
      },
    }),
    key: "key-1",
    files: [aNamedFile("a.png")],
    signal: new AbortController().signal,
    onPhase: (phase) => phases.push(phase),
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
  });
  return { accepted, submissions, phases: phases.map(({ name }) => name), last: phases.at(-1), waits };
}

describe("a delivery", () => {
  it("is made once where all goes well", async () => {
    const { accepted, submissions, phases } = await delivered([ACCEPTED]);

    expect(accepted?.batch).toBe("batch-1");
    expect(submissions).toHaveLength(1);
    expect(phases).toEqual(["sending"]);
  });

  it("is tried again under the same key when the queue is full, after as long as the service says", async () => {
    const full = aFailedAnswer({ status: 429, message: "The queue is full.", retryAfter: 3_000 });

    const { accepted, submissions, phases, waits } = await delivered([full, full, ACCEPTED]);

    expect(accepted).not.toBeNull();
    expect(submissions.map(({ key }) => key)).toEqual(["key-1", "key-1", "key-1"]);
    expect(phases).toEqual(["sending", "waiting", "sending", "waiting", "sending"]);
    expect(waits).toEqual([3_000, 3_000]);
  });

  it("never waits for longer than a person would", async () => {
    const { waits } = await delivered([aFailedAnswer({ status: 503, retryAfter: 3_600_000 }), ACCEPTED]);

    expect(waits).toEqual([WAIT_MAX]);
  });

  it("is given up after so many tries, and left to the person", async () => {
    const { accepted, submissions, last } = await delivered([aFailedAnswer({ status: 0, message: "No answer." })]);

    expect(accepted).toBeNull();
    expect(submissions).toHaveLength(TRIES_MAX);
    expect(last).toEqual({ name: "given up", message: "No answer." });
  });

  it("is not repeated when refused for good, and tells what is wrong with each file", async () => {
    const rejected = [{ filename: "a.png", error: "is no picture" }];
    const refusal = aFailedAnswer({ status: 422, message: "No file is a picture.", body: { rejected } });

    const { submissions, last } = await delivered([refusal]);

    expect(submissions).toHaveLength(1);
    expect(last).toEqual({ name: "refused", message: "No file is a picture.", rejected });
  });
});

describe("an accepted batch", () => {
  it("shows each job with the sender's own picture, whatever was rejected in between", () => {
    const files = ["a.png", "broken.png", "b.png"].map((name) => aNamedFile(name));
    const jobs = [aJob({ id: "1", filename: "a.png" }), aJob({ id: "2", filename: "b.png" })];
    const rejected = [{ filename: "broken.png", error: "is no picture" }];

    const batch = acceptedBatch({ kind: "accepted", batch: "x", jobs, rejected }, files, 7);

    expect([...batch.files].map(([job, { name }]) => [job, name])).toEqual([
      ["1", "a.png"],
      ["2", "b.png"],
    ]);
    expect(batch.batch).toEqual({ id: "x", at: 7 });
  });
});
