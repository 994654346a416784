// Which charts are there, and what does each draw?
import { count, rate, span } from "../../lib/format";
import type { Texts } from "../../text/en";
import type { Point } from "./recorder";

/** Name of a series, in the texts too. */
export type SeriesName = Exclude<keyof Point, "at"> | "backlog";

export interface Series {
  readonly name: SeriesName;
  readonly valueOf: (point: Point) => number | null;
  readonly write: (value: number) => string;
  /** Colour, as a name of a style variable without its dashes. */
  readonly colour: "accent" | "good" | "warn" | "bad" | "ink-soft";
  /** Colour of the area below, likewise; absent where that is empty. */
  readonly fill?: "accent-soft" | "calm-soft";
  /** Whether the series keeps each value until the next one. */
  readonly steps?: boolean;
  /** Axis by which the series is read: of its own unit or size, on the right. */
  readonly side: "left" | "right";
}

export interface ChartView {
  readonly name: keyof Texts["charts"]["titles"];
  readonly series: readonly Series[];
}

const duration = (ms: number) => (ms === 0 ? "0 s" : span(ms));

const line = (name: Exclude<keyof Point, "at">, colour: Series["colour"], write: Series["write"]): Series => ({
  name,
  valueOf: (point) => point[name],
  write,
  colour,
  side: "left",
});

const backlog = ({ waiting, running }: Point) => (waiting === null || running === null ? null : waiting + running);

export const CHARTS: readonly ChartView[] = [
  { name: "throughput", series: [{ ...line("perSecond", "accent", rate), fill: "accent-soft" }] },
  {
    name: "times",
    series: [line("p50", "good", duration), line("p95", "accent", duration), line("p99", "warn", duration)],
  },
  {
    name: "queue",
    series: [
      { ...line("waiting", "accent", count), fill: "accent-soft" },
      line("running", "good", count),
      { ...line("oldest", "warn", duration), side: "right" },
    ],
  },
  {
    name: "pods",
    series: [
      { name: "backlog", valueOf: backlog, write: count, colour: "ink-soft", fill: "calm-soft", side: "right" },
      { ...line("desired", "warn", count), steps: true },
      { ...line("ready", "good", count), steps: true },
    ],
  },
];

/** Returns the times in seconds and the values of each series, as the charts are drawn from. */
export function columns(points: readonly Point[], series: readonly Series[]): [number[], ...(number | null)[][]] {
  return [points.map(({ at }) => at / 1_000), ...series.map(({ valueOf }) => points.map(valueOf))];
}

/** Shortest time that a chart shows, in milliseconds. */
const SHOWN_MIN = 30_000;
/** Longest time that a chart shows, in milliseconds. */
const SHOWN_MAX = 900_000;

/** Returns the first and the last moment that the charts show, in seconds: what was seen, of the last 15 minutes. */
export function range(points: readonly Point[]): [from: number, to: number] {
  const to = points.at(-1)?.at ?? 0;
  const since = points[0]?.at ?? to;
  return [Math.max(to - SHOWN_MAX, Math.min(since, to - SHOWN_MIN)) / 1_000, to / 1_000];
}

/** Returns the last point of each `every` milliseconds, newest first: few enough to be read out. */
export function thinned(points: readonly Point[], every: number): Point[] {
  const slot = ({ at }: Point) => Math.floor(at / every);
  return points
    .filter((point, i) => points[i + 1] === undefined || slot(point) !== slot(points[i + 1] ?? point))
    .reverse();
}
