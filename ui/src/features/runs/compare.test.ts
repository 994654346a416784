import { describe, expect, it } from "vitest";

import type { Run } from "../../api/types";
import { aListedRun } from "./fakes";
import { compare, slowest } from "./compare";

const ONE_POD: Run = aListedRun({ batch: "one", accepted: 21, elapsed_ms: 6_350 });
const TWO_PODS: Run = aListedRun({ batch: "two", accepted: 21, elapsed_ms: 3_320 });

describe("runs", () => {
  it("are compared by images a second, whatever their size", () => {
    const large = aListedRun({ batch: "large", accepted: 42, elapsed_ms: 6_350 });

    const speedUps = compare([ONE_POD, TWO_PODS, large], "one").map(({ speedUp }) => speedUp?.toFixed(2));

    expect(speedUps).toEqual(["1.00", "1.91", "2.00"]);
  });

  it("that are not over are as fast as they have been, and compared with nothing", () => {
    const counts = { queued: 11, running: 0, done: 9, failed: 1 };
    const open = aListedRun({ batch: "open", accepted: 21, counts, elapsed_ms: 2_000 });

    expect(compare([ONE_POD, open], "one")[1]).toMatchObject({ over: false, perSecond: 5, speedUp: null });
    expect(compare([ONE_POD, open], "open")[0]?.speedUp).toBeNull();
  });

  it("are compared with the slowest of those that are over, at first", () => {
    const open = aListedRun({ batch: "open", accepted: 21, counts: { queued: 20, running: 0, done: 1, failed: 0 } });

    expect(slowest([open, TWO_PODS, ONE_POD])).toBe("one");
    expect(slowest([open])).toBeNull();
  });
});
