// What do tests use in place of the service?
import { accessStore } from "../api/access";
import type { Api, NamedFile } from "../api/client";
import { tokenStore } from "../api/token";
import type { Answer, Problem } from "../api/problem";
import type { Batch, Job, Queue, Run, Scale } from "../api/types";
import type { AcceptedBatch, PodView, RunView } from "../live/state";

/** Time at which the jobs of tests are submitted, in milliseconds since the Unix epoch. */
export const SUBMITTED = 1_767_323_045_000;

export function aJob(differences: Partial<Job> = {}): Job {
  return {
    id: "job-1",
    batch: "batch-1",
    filename: "a.png",
    state: "queued",
    attempts: 0,
    submitted: SUBMITTED,
    ...differences,
  };
}

export function aDoneJob(differences: Partial<Job> = {}): Job {
  return aJob({
    state: "done",
    label: "お",
    class: 0,
    confidence: 0.9987,
    worker: "kana-worker-x8k2p",
    attempts: 1,
    queued_ms: 20,
    inference_ms: 2,
    ...differences,
  });
}

export function aBatch(jobs: Job[], differences: Partial<Batch> = {}): Batch {
  const of = (state: Job["state"]) => jobs.filter((job) => job.state === state).length;
  return {
    batch: jobs[0]?.batch ?? "batch-1",
    accepted: jobs.length,
    redelivered: jobs.filter(({ attempts }) => attempts > 1).length,
    counts: { queued: of("queued"), running: of("running"), done: of("done"), failed: of("failed") },
    jobs,
    ...differences,
  };
}

export function aListedRun(differences: Partial<Run> = {}): Run {
  return {
    batch: "batch-1",
    submitted: SUBMITTED,
    accepted: 1,
    redelivered: 0,
    counts: { queued: 0, running: 0, done: 1, failed: 0 },
    workers: ["kana-worker-x8k2p"],
    elapsed_ms: 100,
    ...differences,
  };
}

export function aPod(differences: Partial<PodView> = {}): PodView {
  return {
    name: "kana-worker-x8k2p",
    phase: "ready",
    ready: true,
    created: 1_000,
    restarts: 0,
    completed: 12,
    in_flight: 3,
    slot: 0,
    goneAt: null,
    ending: null,
    ...differences,
  };
}

export function aScale(differences: Partial<Scale> = {}): Scale {
  return { min: 1, max: 4, current: 2, desired: 2, by: "local", ...differences };
}

export function aQueue(differences: Partial<Queue> = {}): Queue {
  return { waiting: 0, running: 0, dead: 0, accepted: 0, done: 0, failed: 0, per_second: 0, ...differences };
}

export function aRun(differences: Partial<RunView> = {}): RunView {
  const jobs = differences.jobs ?? ["job-1"];
  return {
    id: "run-1",
    startedAt: 0,
    given: jobs.length + (differences.rejected?.length ?? 0),
    batches: [{ id: "batch-1", at: 0 }],
    jobs,
    rejected: [],
    files: new Map(),
    expired: false,
    listed: null,
    loaded: true,
    ...differences,
  };
}

export function anAcceptedBatch(jobs: readonly Job[], differences: Partial<AcceptedBatch> = {}): AcceptedBatch {
  return { batch: { id: "batch-1", at: 0 }, jobs, rejected: [], files: new Map(), ...differences };
}

export function aFailedAnswer(differences: Partial<Problem> = {}): { ok: false; problem: Problem } {
  return { ok: false, problem: { status: 422, message: "No.", retryAfter: null, body: null, ...differences } };
}

/** Creates a client that answers only the calls in `parts`. */
export function anApi(parts: Partial<Api> = {}): Api {
  const unexpected = (): Promise<Answer<never>> => Promise.reject(new Error("unexpected request"));
  return {
    tokens: tokenStore(null),
    access: accessStore(),
    gateway: "",
    fetch: () => Promise.reject(new Error("unexpected request")),
    status: unexpected,
    submit: unexpected,
    batch: unexpected,
    batches: () => Promise.resolve({ ok: true, value: [] }),
    image: () => Promise.resolve(aFailedAnswer({ status: 404 })),
    job: unexpected,
    cancel: unexpected,
    classify: unexpected,
    deadLetters: unexpected,
    replayDead: unexpected,
    dropDead: unexpected,
    stopPod: unexpected,
    podLog: unexpected,
    setScale: unexpected,
    report: unexpected,
    sample: unexpected,
    ...parts,
  };
}

export function aNamedFile(name: string, bytes = 4): NamedFile {
  return { name, file: aFile(name, bytes) };
}

export function aFile(name: string, bytes = 4): File {
  return new File([new Uint8Array(bytes)], name, { type: "image/png" });
}

/** Creates a response whose body arrives in these pieces and then ends, or stays open. */
export function aStream(pieces: readonly string[], end: "ends" | "stays open" = "ends"): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      if (end === "ends") controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
