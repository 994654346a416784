// Which paths draw the blocks of a lane?
//
// One path for all blocks of a kind, and blocks narrower than a pixel are drawn together, so that a run of thousands of
// images takes a few elements.
import type { Arrow, Block, Lane } from "./layout";
import type { View } from "./view";

/** Most arrows drawn. */
const ARROWS_MAX = 200;
/** Space between two blocks, in pixels. */
const SPACE = 1;
/** Most room of a row, in pixels, so that a single image is no slab. */
const ROW_MAX = 14;

export type Kind = "done" | "running" | "lost" | "failed";

export interface Frame {
  readonly view: View;
  /** Width of the drawing, in pixels. */
  readonly width: number;
  /** Height of a lane, in pixels. */
  readonly lane: number;
}

export function xOf({ view, width }: Frame, at: number): number {
  return ((at - view.from) / (view.to - view.from)) * width;
}

/** Height of a row of the lane, in pixels. */
export function rowHeight(frame: Frame, lane: Lane): number {
  return Math.min(ROW_MAX, (frame.lane - 4) / lane.rows);
}

/** Middle of a row of the lane at `index`, in pixels from the top. */
export function yOf(frame: Frame, lane: Lane, index: number, row: number): number {
  const height = rowHeight(frame, lane);
  return index * frame.lane + (frame.lane - height * lane.rows) / 2 + (row + 0.5) * height;
}

export function kindOf({ attempt: { end } }: Block): Kind | null {
  if (end === "queued") return null;
  if (end === "done" || end === "running" || end === "failed") return end;
  return "lost";
}

/** Draws the blocks of one kind. */
export function blocksPath(frame: Frame, lane: Lane, index: number, kind: Kind): string {
  const height = Math.max(1, rowHeight(frame, lane) - SPACE);
  const blocks = lane.blocks.filter((block) => kindOf(block) === kind);
  const bars = joined(frame, blocks, (block) => [block.attempt.from, block.attempt.to]);
  return bars
    .map(({ row, from, to }) => {
      const top = yOf(frame, lane, index, row) - height / 2;
      return `M${fixed(from)} ${fixed(top)}h${fixed(Math.max(1, to - from - SPACE))}v${fixed(height)}H${fixed(from)}z`;
    })
    .join("");
}

/** Draws the time for which the images of a lane waited. */
export function waitsPath(frame: Frame, lane: Lane, index: number): string {
  const waiting = lane.blocks.toSorted((a, b) => a.attempt.waits - b.attempt.waits);
  return joined(frame, waiting, (block) => [block.attempt.waits, block.attempt.from])
    .filter(({ from, to }) => to > from)
    .map(({ row, from, to }) => `M${fixed(from)} ${fixed(yOf(frame, lane, index, row))}H${fixed(to)}`)
    .join("");
}

/** Draws the ways of redelivered images: down or up from the lane that lost them, then along the other one. */
export function arrowPaths(frame: Frame, lanes: readonly Lane[], arrows: readonly Arrow[]): string[] {
  return arrows.slice(0, ARROWS_MAX).flatMap(({ from, to }) => {
    const [a, b] = [lanes[from.lane], lanes[to.lane]];
    if (!a || !b) return [];
    const [x1, x2] = [xOf(frame, from.at), xOf(frame, to.at)];
    if (x2 < 0 || x1 > frame.width) return [];
    const [y1, y2] = [yOf(frame, a, from.lane, from.row), yOf(frame, b, to.lane, to.row)];
    const bend = Math.max(6, (x2 - x1) / 2);
    return [
      `M${fixed(x1)} ${fixed(y1)}C${fixed(x1 + bend)} ${fixed(y1)} ${fixed(x2 - bend)} ${fixed(y2)} ${fixed(x2)} ${fixed(y2)}`,
    ];
  });
}

interface Bar {
  readonly row: number;
  readonly from: number;
  to: number;
}

// Joins what overlaps or would be narrower than a pixel, within what is seen.
function joined(frame: Frame, blocks: readonly Block[], timesOf: (block: Block) => [from: number, to: number]): Bar[] {
  const bars: Bar[] = [];
  const last = new Map<number, Bar>();
  for (const block of blocks) {
    const [begins, ends] = timesOf(block);
    const from = Math.max(-2, xOf(frame, begins));
    const to = Math.min(frame.width + 2, xOf(frame, ends));
    if (to < from) continue;
    const before = last.get(block.row);
    const narrow = to - from < 1 + SPACE || (before && before.to - before.from < 1 + SPACE);
    if (before && (from < before.to - 0.01 || (narrow && from - before.to < SPACE))) {
      before.to = Math.max(before.to, to);
      continue;
    }
    const bar = { row: block.row, from, to };
    bars.push(bar);
    last.set(block.row, bar);
  }
  return bars;
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}
