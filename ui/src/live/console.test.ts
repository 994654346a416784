import { describe, expect, it } from "vitest";

import { aPod, aScale } from "../test/fakes";
import { reduce } from "./reducer";
import { CONSOLE_MAX, START, type State } from "./state";
import type { ServerEvent } from "./decode";

const after = (...events: ServerEvent[]): State => reduce(START, { type: "events", events, at: 7 });
const pod = (differences: Parameters<typeof aPod>[0] = {}): ServerEvent => ({ type: "pod", pod: aPod(differences) });
const scale = (differences: Parameters<typeof aScale>[0] = {}): ServerEvent => ({
  type: "scale",
  scale: aScale(differences),
});
const command = (text: string): ServerEvent => ({
  type: "console",
  console: { command: text, output: "", took_ms: 0 },
});

describe("the console", () => {
  it("tells of each state of a pod, in line with the commands", () => {
    const { console } = after(
      pod({ phase: "starting" }),
      pod({ phase: "ready" }),
      pod({ phase: "ready", completed: 13 }),
      command("kill -9 12 # kana-worker-x8k2p"),
      pod({ phase: "gone", reason: "exit code 137" }),
    );

    expect(console.map((line) => (line.kind === "pod" ? `${line.state} ${line.reason}` : line.kind))).toEqual([
      "starting ",
      "ready ",
      "command",
      "killed exit code 137",
    ]);
    expect(console.map(({ seq, at }) => [seq, at])).toEqual([
      [1, 7],
      [2, 7],
      [3, 7],
      [4, 7],
    ]);
  });

  it("does not tell of what was there before, or ended unseen", () => {
    expect(after(pod(), scale(), pod({ name: "unseen", phase: "gone" })).console).toEqual([]);
    expect(after(pod(), scale(), { type: "reset" }, pod(), scale()).console).toEqual([]);
  });

  it("tells of a change of the range or of what is desired, and leaves the pods to themselves", () => {
    const { console } = after(
      scale(),
      scale({ current: 1 }),
      scale({ desired: 3 }),
      scale({ desired: 3, max: 6 }),
      scale({ desired: 3, max: 6 }),
      scale({ desired: 3, max: 6, paused: "by hand" }),
    );

    expect(console.map((line) => (line.kind === "scale" ? [line.scale.desired, line.scale.max] : []))).toEqual([
      [3, 4],
      [3, 6],
      [3, 6],
    ]);
  });

  it("keeps the newest lines of all kinds", () => {
    const { console } = after(
      pod({ phase: "starting" }),
      ...Array.from({ length: CONSOLE_MAX }, (_, i) => command(String(i))),
    );

    expect(console).toHaveLength(CONSOLE_MAX);
    expect(console[0]).toMatchObject({ kind: "command", command: "0", seq: 2 });
  });
});
