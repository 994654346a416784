import { describe, expect, it } from "vitest";

import { percentile } from "./percentile";

describe("a percentile", () => {
  it("is one of the values, by the nearest rank", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);

    expect([0.5, 0.95, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 95, 99, 100]);
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  });

  it("of a single value is that value, and of none there is none", () => {
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([7], 0)).toBe(7);
    expect(percentile([], 0.5)).toBeNull();
  });
});
