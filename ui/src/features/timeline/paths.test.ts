import { expect, it } from "vitest";

import type { Block, Lane } from "./layout";
import { blocksPath, waitsPath, xOf, type Frame } from "./paths";

const FRAME: Frame = { view: { from: 0, to: 1_000 }, width: 500, lane: 20 };

function laneOf(times: readonly (readonly [waits: number, from: number, to: number])[]): Lane {
  const blocks = times.map(([waits, from, to], i): Block => {
    return { row: 0, attempt: { job: String(i), filename: "", pod: "a", waits, from, to, end: "done" } };
  });
  return { pod: "a", rows: 1, blocks, marks: [], done: blocks.length };
}
const moves = (path: string) => path.match(/M/g)?.length ?? 0;

it("places times by the part that is seen", () => {
  expect(xOf(FRAME, 500)).toBe(250);
  expect(xOf({ ...FRAME, view: { from: 400, to: 600 } }, 500)).toBe(250);
});

it("draws blocks with room for themselves apart", () => {
  expect(
    moves(
      blocksPath(
        FRAME,
        laneOf([
          [0, 0, 100],
          [0, 100, 200],
        ]),
        0,
        "done",
      ),
    ),
  ).toBe(2);
});

it("draws blocks narrower than a pixel together", () => {
  const thousands = Array.from({ length: 10_000 }, (_, i) => [0, i / 10, (i + 1) / 10] as const);

  expect(moves(blocksPath(FRAME, laneOf(thousands), 0, "done"))).toBe(1);
});

it("draws only what is seen, and each kind by itself", () => {
  const lane = laneOf([
    [0, 0, 100],
    [0, 800, 900],
  ]);

  expect(moves(blocksPath({ ...FRAME, view: { from: 700, to: 1_000 } }, lane, 0, "done"))).toBe(1);
  expect(blocksPath(FRAME, lane, 0, "lost")).toBe("");
});

it("draws the waits of a row as one line where they overlap", () => {
  expect(
    waitsPath(
      FRAME,
      laneOf([
        [0, 200, 300],
        [0, 400, 500],
        [600, 700, 800],
      ]),
      0,
    ),
  ).toBe("M0 10H200M300 10H350");
});
