import { beforeEach, describe, expect, it } from "vitest";

import type { ServerEvent } from "../../live/decode";
import { aDoneJob, aJob, aPod, aQueue, aScale } from "../../test/fakes";
import { createRecorder, POINTS_MAX, TIMES_WINDOW, type Recorder } from "./recorder";

let recorder: Recorder;

beforeEach(() => {
  recorder = createRecorder();
  recorder.observe({ type: "connection", connection: "open" });
});

const receive = (at: number, ...events: ServerEvent[]) => {
  recorder.observe({ type: "events", events, at });
};
const done = (ms: number): ServerEvent => ({ type: "job", job: aDoneJob({ queued_ms: ms - 2, inference_ms: 2 }) });
const last = () => recorder.points().at(-1);

describe("the recorder", () => {
  it("keeps one point for each sample, with what it knew then", () => {
    recorder.sample(1_000);
    receive(
      1_500,
      { type: "queue", queue: aQueue({ waiting: 8, running: 4, per_second: 2.5, oldest_ms: 900 }) },
      { type: "scale", scale: aScale({ desired: 3 }) },
      { type: "pod", pod: aPod({ name: "a" }) },
      { type: "pod", pod: aPod({ name: "b", phase: "starting" }) },
    );
    recorder.sample(2_000);

    expect(recorder.points()[0]).toMatchObject({ at: 1_000, waiting: null, ready: null, p50: null });
    expect(last()).toMatchObject({
      at: 2_000,
      perSecond: 2.5,
      waiting: 8,
      running: 4,
      oldest: 900,
      ready: 1,
      desired: 3,
    });
  });

  it("counts a pod as ready until it stops", () => {
    receive(0, { type: "scale", scale: aScale() }, { type: "pod", pod: aPod() });
    receive(1, { type: "pod", pod: aPod({ phase: "stopping" }) });
    recorder.sample(2);

    expect(last()?.ready).toBe(0);
  });

  it("takes the percentiles of the whole times of the last seconds", () => {
    for (let ms = 1; ms <= 100; ms += 1) receive(0, done(ms));
    receive(0, { type: "job", job: aJob({ queued_ms: 9_999 }) });
    recorder.sample(1);
    expect(last()).toMatchObject({ p50: 50, p95: 95, p99: 99 });

    receive(5, done(7));
    recorder.sample(TIMES_WINDOW);
    expect(last()).toMatchObject({ p50: 7, p99: 7 });

    recorder.sample(2 * TIMES_WINDOW);
    expect(last()?.p50).toBeNull();
  });

  it("has a gap while there is no connection, and after a reset until the state comes again", () => {
    receive(0, { type: "queue", queue: aQueue({ waiting: 5 }) });
    recorder.observe({ type: "connection", connection: "waiting" });
    recorder.sample(1);
    expect(last()?.waiting).toBeNull();

    recorder.observe({ type: "connection", connection: "open" });
    recorder.sample(2);
    expect(last()?.waiting).toBe(5);

    receive(3, { type: "reset" });
    recorder.sample(3);
    expect(last()?.waiting).toBeNull();
  });

  it("keeps the newest points only", () => {
    for (let at = 0; at < POINTS_MAX + 5; at += 1) recorder.sample(at);

    expect(recorder.points()).toHaveLength(POINTS_MAX);
    expect(recorder.points()[0]?.at).toBe(5);
    expect(last()?.at).toBe(POINTS_MAX + 4);
  });

  it("tells its listeners of each point until they leave", () => {
    let heard = 0;
    const leave = recorder.subscribe(() => {
      heard += 1;
    });
    recorder.sample(1);
    leave();
    recorder.sample(2);

    expect(heard).toBe(1);
  });

  it("leaves nothing to whoever signs in next", () => {
    receive(0, { type: "queue", queue: aQueue({ waiting: 5 }) }, done(3));
    recorder.sample(1);
    recorder.observe({ type: "signed out" });
    expect(recorder.points()).toEqual([]);

    recorder.sample(2);
    expect(last()).toMatchObject({ waiting: null, p50: null });
  });
});
