import { expect, it } from "vitest";

import { panned, ticksOf, zoomed } from "./view";

const WHOLE = { from: 1_000, to: 2_000 };

it("zooms about a point that keeps its place", () => {
  expect(zoomed(WHOLE, WHOLE, 0.5, 1_500)).toEqual({ from: 1_250, to: 1_750 });
  expect(zoomed(WHOLE, WHOLE, 0.5, 1_000)).toEqual({ from: 1_000, to: 1_500 });
});

it("shows the whole again once all of it would be seen", () => {
  expect(zoomed({ from: 1_250, to: 1_750 }, WHOLE, 2, 1_500)).toBeNull();
});

it("never zooms further than two milliseconds", () => {
  const seen = zoomed({ from: 1_000, to: 1_002 }, WHOLE, 0.1, 1_001);

  expect(seen && seen.to - seen.from).toBe(2);
});

it("pans to the ends and no further", () => {
  expect(panned({ from: 1_000, to: 1_200 }, WHOLE, 0.5)).toEqual({ from: 1_100, to: 1_300 });
  expect(panned({ from: 1_000, to: 1_200 }, WHOLE, -1)).toEqual({ from: 1_000, to: 1_200 });
  expect(panned({ from: 1_700, to: 1_900 }, WHOLE, 9)).toEqual({ from: 1_800, to: 2_000 });
});

it("has steps of round numbers, at most as many as there is room for", () => {
  expect(ticksOf({ from: 0, to: 3_320 }, 0, 5)).toEqual([0, 1_000, 2_000, 3_000]);
  expect(ticksOf({ from: 1_100, to: 1_200 }, 1_000, 5)).toEqual([100, 120, 140, 160, 180, 200]);
});
