// How does the mock of kana behave?
//
// Pods start, work through a queue, end and are replaced; the jobs of an ended pod return to the queue. Labels are random.
// The mock imitates what the page sees and implements none of the rules of the real service.
import { randomUUID } from "node:crypto";

import { batchesOf } from "./batches.ts";
import type { Console, DeadLetter, Job, LostAttempt, Model, Pod, Queue, Scale } from "../src/api/types";

const LABELS = "お き す つ な は ま や れ を".split(" ");
const ROMANISED = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];
/** Time that a pod needs to become ready, and to finish one image, in milliseconds. */
const START_TAKES = 900;
const IMAGE_TAKES = Number(process.env.MOCK_IMAGE_TAKES ?? 250);
/** Node of every pod; with it, the page looks as in a cluster. */
const NODE = process.env.MOCK_NODE;
/** One image in so many fails. */
const FAILS_EVERY = 17;

const MODEL: Model = {
  name: "kana",
  description: "Reads ten cursive hiragana.",
  architecture: { family: "kana-cnn", depth: 4, width: 32, dropout: 0.05 },
  input: {
    shape: { channels: 1, height: 28, width: 28 },
    mean: [0.18],
    deviation: [0.34],
    fit: { as: "glyph", margin: 0 },
  },
  labels: LABELS,
  romanised: ROMANISED,
  members: [{ file: "weights.safetensors", sha256: "0".repeat(64) }],
  training: {
    version: "0.1.0",
    data: [],
    images: 50_000,
    validation_images: 10_000,
    seed: 1,
    epochs: 60,
    best_epoch: 46,
    settings: {},
  },
  evaluation: [{ protocol: "KMNIST's own test set", images: 10_000, accuracy: 0.9871 }],
  licence: "CC BY-SA 4.0",
  attribution: "KMNIST Dataset (created by CODH)",
  has_report: false,
};
const now = () => Date.now();

export type Send = (event: string, data: unknown) => void;

export function createWorld(send: Send) {
  const pods = new Map<string, Pod>();
  const jobs = new Map<string, Job>();
  const sentAt = new Map<string, number>();
  const waiting: string[] = [];
  const leases = new Map<string, { pod: string; began: number }>();
  const names = new Map<string, string>();
  const settledAt: number[] = [];
  /** Jobs that failed for good, by id. */
  const dead = new Map<string, DeadLetter>();
  const scale: Scale = { min: 2, max: 4, current: 0, desired: 0, by: "local" };
  let [done, failed] = [0, 0];

  const queue = (): Queue => {
    const oldest = waiting[0];
    const recent = settledAt.filter((at) => Date.now() - at < 2_000).length;
    return {
      waiting: waiting.length,
      running: leases.size,
      dead: dead.size,
      accepted: jobs.size,
      done,
      failed,
      per_second: recent / 2,
      ...(oldest !== undefined && { oldest_ms: Date.now() - (sentAt.get(oldest) ?? 0) }),
    };
  };

  const publishJob = (job: Job) => {
    jobs.set(job.id, job);
    // As in the service, events omit the lost attempts.
    send("job", { ...job, lost: undefined });
  };
  const publishPod = (pod: Pod) => {
    if (pod.phase === "gone") pods.delete(pod.name);
    else pods.set(pod.name, pod);
    send("pod", pod);
  };
  const publishConsole = (command: string, output: string) => {
    const line: Console = { command, output, took_ms: 1 + Math.random() * 30 };
    send("console", line);
  };

  const start = () => {
    const name = `kana-worker-${Math.random().toString(36).slice(2, 7)}`;
    const node = NODE === undefined ? {} : { node: NODE };
    const pod = { name, ready: false, created: Date.now(), restarts: 0, completed: 0, in_flight: 0, ...node };
    publishPod({ ...pod, phase: "starting" });
    setTimeout(() => {
      if (!pods.has(name)) return;
      publishPod({ ...pod, phase: "ready", ready: true });
      work(name);
    }, START_TAKES);
  };

  const work = (name: string) => {
    const pod = pods.get(name);
    if (pod?.phase !== "ready") return;
    const id = waiting.shift();
    const job = id === undefined ? undefined : jobs.get(id);
    if (!job) {
      setTimeout(() => {
        work(name);
      }, 40);
      return;
    }
    leases.set(job.id, { pod: name, began: now() });
    const claimed: Job = { ...job, state: "running", worker: name, attempts: job.attempts + 1 };
    const queued_ms = Date.now() - (sentAt.get(job.id) ?? 0);
    publishJob(claimed);
    publishPod({ ...pod, in_flight: 1 });
    setTimeout(() => {
      if (leases.get(job.id)?.pod !== name) return;
      leases.delete(job.id);
      settledAt.push(Date.now());
      publishJob({ ...settle(claimed, queued_ms), settled: now() });
      const still = pods.get(name);
      if (still) publishPod({ ...still, completed: still.completed + 1, in_flight: 0 });
      work(name);
    }, IMAGE_TAKES);
  };

  const settle = (job: Job, queued_ms: number): Job => {
    if ((done + failed + 1) % FAILS_EVERY === 0) {
      failed += 1;
      const reason = "the classifier failed 3 attempts";
      const { id, batch, filename } = job;
      dead.set(id, { id, batch, filename, submitted: sentAt.get(id) ?? 0, died: Date.now(), attempts: 3, reason });
      return { ...job, state: "failed", queued_ms, error: reason };
    }
    done += 1;
    const index = (job.id.charCodeAt(0) + job.id.charCodeAt(1)) % LABELS.length;
    const confidence = 1 - Math.random() ** 3 * 0.6;
    const label = LABELS[index] ?? "?";
    return { ...job, state: "done", label, class: index, confidence, queued_ms, inference_ms: IMAGE_TAKES };
  };

  const stop = (name: string, mode: string): boolean => {
    const pod = pods.get(name);
    if (!pod) return false;
    publishConsole(mode === "kill" ? `kill -KILL ${name}` : `kill -TERM ${name}`, `${name} is stopping`);
    const end = () => {
      publishPod({ ...pod, phase: "gone", ready: false, in_flight: 0 });
      for (const [id, { began }] of [...leases].filter(([, holder]) => holder.pod === name)) {
        leases.delete(id);
        const job = jobs.get(id);
        const attempt: LostAttempt = {
          worker: name,
          began,
          ended: now(),
          cause: mode === "kill" ? "stopped" : "crashed",
        };
        if (job) publishJob({ ...job, state: "queued", lost: [...(job.lost ?? []), attempt] });
        waiting.unshift(id);
      }
    };
    if (mode === "kill") end();
    else {
      publishPod({ ...pod, phase: "stopping", ready: false });
      setTimeout(end, 2_000);
    }
    return true;
  };

  const balance = () => {
    const desired = Math.min(scale.max, Math.max(scale.min, Math.ceil(waiting.length / 5)));
    const living = [...pods.values()].filter(({ phase }) => phase !== "stopping");
    for (let missing = desired - living.length; missing > 0; missing -= 1) start();
    const idle = living.find(({ in_flight, phase }) => in_flight === 0 && phase === "ready");
    if (living.length > desired && waiting.length === 0 && idle) stop(idle.name, "delete");
    if (scale.desired !== desired || scale.current !== living.length) {
      Object.assign(scale, { desired, current: living.length });
      send("scale", scale);
    }
    send("queue", queue());
  };
  setInterval(balance, 500).unref();

  return {
    queue,
    scale,
    pods,
    jobs,
    stop,
    dead,
    replay: (id: string): Job | undefined => {
      const job = jobs.get(id);
      if (!job || !dead.delete(id)) return undefined;
      const { batch, filename } = job;
      const again: Job = { id, batch, filename, state: "queued", attempts: 0 };
      publishJob(again);
      waiting.push(id);
      return again;
    },
    batches: () => batchesOf([...jobs.values()], names),
    submit: (filenames: string[], joined: string | null, name: string | null) => {
      const batch = joined ?? randomUUID();
      if (name !== null) names.set(batch, name);
      const added = filenames.map((filename): Job => ({
        id: randomUUID(),
        batch,
        filename,
        state: "queued",
        attempts: 0,
        submitted: now(),
      }));
      for (const job of added) {
        sentAt.set(job.id, Date.now());
        publishJob(job);
        waiting.push(job.id);
      }
      return { batch, jobs: added };
    },
    setRange: (min: number, max: number) => {
      Object.assign(scale, { min, max });
      publishConsole(
        `kubectl patch hpa kana-worker --patch '{"spec":{"minReplicas":${min},"maxReplicas":${max}}}'`,
        "patched",
      );
      send("scale", scale);
      return scale;
    },
    status: () => ({
      version: "0.1.0",
      uptime_seconds: Math.round(process.uptime()),
      queue: queue(),
      model: MODEL,
    }),
  };
}
