import { describe, expect, it } from "vitest";

import { createRecorder, type Point } from "./recorder";
import { CHARTS, columns, range, thinned } from "./views";

function pointsAt(...times: number[]): readonly Point[] {
  const recorder = createRecorder();
  for (const at of times) recorder.sample(at);
  return recorder.points();
}

describe("the charts", () => {
  it("draw the backlog as what waits and what runs", () => {
    const [known, unknown] = pointsAt(1_000, 2_000).map((point, i) =>
      i === 0 ? { ...point, waiting: 8, running: 4 } : point,
    );
    const { series } = CHARTS.find(({ name }) => name === "pods") ?? { series: [] };
    const [times, backlog] = columns(
      [known, unknown].filter((point) => point !== undefined),
      series.filter(({ name }) => name === "backlog"),
    );

    expect(times).toEqual([1, 2]);
    expect(backlog).toEqual([12, null]);
  });

  it("show what was seen: half a minute at least, 15 minutes at most", () => {
    expect(range(pointsAt(100_000, 105_000))).toEqual([75, 105]);
    expect(range(pointsAt(100_000, 300_000))).toEqual([100, 300]);
    expect(range(pointsAt(100_000, 2_000_000))).toEqual([1_100, 2_000]);
  });

  it("are read as the last point of each 15 s, newest first", () => {
    const times = Array.from({ length: 32 }, (_, i) => i * 1_000);

    expect(thinned(pointsAt(...times), 15_000).map(({ at }) => at)).toEqual([31_000, 29_000, 14_000]);
    expect(thinned([], 15_000)).toEqual([]);
  });
});
