import { describe, expect, it } from "vitest";

import { aPod, aScale } from "../test/fakes";
import type { ServerEvent } from "./decode";
import { CARDS_MAX, GONE_SHOWN, PLANNED_SHOWN, slotsFor } from "./pods";
import { reduce } from "./reducer";
import { START, type State } from "./state";

type Phase = "starting" | "ready" | "stopping" | "gone";

const pod = (name: string, phase: Phase = "ready"): ServerEvent => ({ type: "pod", pod: aPod({ name, phase }) });
const command = (text: string): ServerEvent => ({
  type: "console",
  console: { command: text, output: "", took_ms: 1 },
});

function after(events: readonly ServerEvent[], state: State = START, at = 0): State {
  return reduce(state, { type: "events", events, at });
}

const slots = ({ pods }: State) => pods.map(({ name, slot }) => [name, slot]);
const endings = ({ pods }: State) => pods.map(({ name, ending }) => [name, ending]);

describe("a pod's slot", () => {
  it("stays the same when another pod goes, and a new pod takes the free one", () => {
    const three = after([pod("a"), pod("b"), pod("c")]);
    const two = reduce(after([pod("a", "gone")], three), { type: "tick", at: GONE_SHOWN });

    expect(slots(two)).toEqual([
      ["b", 1],
      ["c", 2],
    ]);
    expect(slots(after([pod("d")], two))).toEqual([
      ["d", 0],
      ["b", 1],
      ["c", 2],
    ]);
  });

  it("is that of the pod gone longest rather than one beyond those of the largest scale", () => {
    const scale: ServerEvent = { type: "scale", scale: aScale({ max: CARDS_MAX }) };
    const names = Array.from({ length: CARDS_MAX }, (_, i) => `pod-${i}`);
    const full = after([scale, ...names.map((name) => pod(name))]);
    const gone = after([pod("pod-2", "gone")], after([pod("pod-5", "gone")], full, 1), 2);

    const replaced = after([pod("new")], gone, 3);

    expect(slots(replaced)).toContainEqual(["new", 5]);
    expect(replaced.pods).toHaveLength(CARDS_MAX);
  });

  it("leaves one free for the replacement of a pod just killed, up to CARDS_MAX", () => {
    expect([0, 4, 6, 7, 8, 100].map(slotsFor)).toEqual([5, 5, 7, 8, 8, 8]);
  });

  it("is a further one where more pods than CARDS_MAX live", () => {
    const names = Array.from({ length: CARDS_MAX + 1 }, (_, i) => `pod-${i}`);

    expect(after(names.map((name) => pod(name))).pods.at(-1)?.slot).toBe(CARDS_MAX);
  });
});

describe("a pod's end", () => {
  it("is planned where the pod was stopping, and a crash where it came without notice", () => {
    const state = after([pod("a"), pod("b"), pod("a", "stopping"), pod("a", "gone"), pod("b", "gone")]);

    expect(endings(state)).toEqual([
      ["a", "scaled down"],
      ["b", "crashed"],
    ]);
  });

  it("is a kill where a command of the console says so, whoever asked", () => {
    const local = [pod("a"), pod("a", "stopping"), command("kill -9 4711  # a"), pod("a", "gone")];
    const cluster = [pod("b"), command("kubectl -n x delete pod b --grace-period=0 --force"), pod("b", "gone")];
    const planned = [pod("c"), pod("c", "stopping"), command("kill 4711  # c"), pod("c", "gone")];

    expect(endings(after([...local, ...cluster, ...planned]))).toEqual([
      ["a", "killed"],
      ["b", "killed"],
      ["c", "scaled down"],
    ]);
  });

  it("is a drain where this page asked for one", () => {
    const asked = reduce(after([pod("a")]), { type: "stopping", pod: "a", mode: "delete" });

    expect(endings(after([pod("a", "stopping"), pod("a", "gone")], asked))).toEqual([["a", "drained"]]);
  });

  it("stays visible for GONE_SHOWN after a fault and for PLANNED_SHOWN after a planned end", () => {
    const state = after([pod("a"), pod("b"), pod("a", "gone"), pod("b", "stopping"), pod("b", "gone")], START, 1_000);
    const at = (ms: number) => reduce(state, { type: "tick", at: 1_000 + ms });

    expect(at(PLANNED_SHOWN - 1)).toBe(state);
    expect(at(PLANNED_SHOWN).pods.map(({ name }) => name)).toEqual(["a"]);
    expect(at(GONE_SHOWN).pods).toEqual([]);
  });
});
