import { describe, expect, it } from "vitest";

import { aDoneJob, aPod, aQueue, aScale } from "../test/fakes";
import { decode, type ServerEvent } from "./decode";
import { reduce } from "./reducer";
import { CONSOLE_MAX, HISTORY_MAX, START, type State } from "./state";

function after(events: readonly ServerEvent[], state: State = START, at = 0): State {
  return reduce(state, { type: "events", events, at });
}

const pod = (name: string, created: number, phase: "starting" | "ready" | "gone" = "ready"): ServerEvent => ({
  type: "pod",
  pod: aPod({ name, created, phase }),
});

describe("pods", () => {
  it("that were gone before the page opened are not shown", () => {
    expect(after([pod("a", 1, "gone")]).pods).toEqual([]);
  });

  it("are removed at a reset, and the runs are not", () => {
    const given = reduce(START, { type: "given", run: "run-1", files: 1, at: 0 });
    const state = after([pod("a", 1), { type: "reset" }, pod("b", 2)], given);

    expect(state.pods.map(({ name }) => name)).toEqual(["b"]);
    expect(state.runs).toHaveLength(1);
    expect(state.epoch).toBe(1);
  });
});

describe("an error of the pods", () => {
  const failed = (reason?: string): ServerEvent => ({ type: "trouble", error: { ...(reason && { reason }) } });

  it("stays until an event without a reason", () => {
    const failing = after([failed("no right"), pod("a", 1)]);

    expect(failing.podsError).toBe("no right");
    expect(after([failed()], failing).podsError).toBeNull();
  });

  it("is removed at a reset", () => {
    expect(after([failed("no right"), { type: "reset" }]).podsError).toBeNull();
  });
});

describe("what is kept", () => {
  it("is the newest lines of the console, each under its own number", () => {
    const line: ServerEvent = { type: "console", console: { command: "kill", output: "", took_ms: 1 } };

    const { console } = after(Array.from({ length: CONSOLE_MAX + 5 }, () => line));

    expect(console).toHaveLength(CONSOLE_MAX);
    expect(console.at(-1)?.seq).toBe(CONSOLE_MAX + 5);
    expect(new Set(console.map(({ seq }) => seq)).size).toBe(CONSOLE_MAX);
  });

  it("is the queue's recent past", () => {
    const queues = Array.from({ length: HISTORY_MAX + 3 }, (_, i): ServerEvent => {
      return { type: "queue", queue: aQueue({ waiting: i, running: 1 }) };
    });

    const { history, queue } = after(queues);

    expect(history).toHaveLength(HISTORY_MAX);
    expect(history.at(-1)).toBe(HISTORY_MAX + 3);
    expect(queue?.waiting).toBe(HISTORY_MAX + 2);
  });

  it("is the last scale received", () => {
    const state = after([
      { type: "scale", scale: aScale({ max: 4 }) },
      { type: "scale", scale: aScale({ max: 5 }) },
    ]);

    expect(state.scale?.max).toBe(5);
  });
});

describe("a message", () => {
  it("that lacks what the page needs, or has an unknown name, is ignored", () => {
    const data = JSON.stringify(aDoneJob());

    expect(decode({ event: "job", data, id: "" })).toEqual({ type: "job", job: aDoneJob() });
    expect(decode({ event: "job", data: "{}", id: "" })).toBeNull();
    expect(decode({ event: "queue", data: "not json", id: "" })).toBeNull();
    expect(decode({ event: "weather", data, id: "" })).toBeNull();
    expect(decode({ event: "reset", data: "", id: "" })).toEqual({ type: "reset" });
  });
});
