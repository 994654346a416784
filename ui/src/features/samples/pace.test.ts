import { describe, expect, it } from "vitest";

import { paced, TICK, type Pace } from "./pace";

/** Adds up what is due in ticks until `end`. */
function total(rate: number, end: number): number {
  let pace: Pace = { until: 0, due: 0 };
  let sum = 0;
  for (let now = TICK; now <= end; now += TICK) {
    pace = paced(pace, rate, now);
    sum += pace.due;
  }
  return sum;
}

describe("the pace of samples", () => {
  it.each([1, 3, 10, 100])("is %i a second over ten seconds", (rate) => {
    expect(Math.abs(total(rate, 10_000) - 10 * rate)).toBeLessThanOrEqual(1);
  });

  it("makes up for one second at most", () => {
    expect(paced({ until: 0, due: 0 }, 10, 60_000).due).toBe(10);
  });
});
