// How is a chart drawn?
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { useTexts } from "../../text/texts";
import type { Point } from "./recorder";
import { columns, range, type ChartView, type Series } from "./views";

/** Height of a chart with its axis, in pixels. */
const HEIGHT = 168;
/** Width of an axis of values, in pixels. */
const AXIS = 56;
/** Least distance between two times of the axis, in pixels. */
const TIMES_APART = 90;
/** Free space above the highest value, as a factor. */
const ABOVE = 1.08;
/** Distances between the numbers of an axis: whole ones for counts, and for milliseconds as well. */
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];

/** Where the second axis is: the enumeration of uPlot is not there at run time. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- only the type names its values
const RIGHT = 1 as uPlot.Axis.Side;

interface Props {
  readonly view: ChartView;
  readonly points: readonly Point[];
  readonly title: string;
  /** Called with the number of the point below the pointer, and with `null` when it leaves. */
  readonly onHover: (point: number | null) => void;
}

export function Plot({ view, points, title, onHover }: Props) {
  const { language } = useTexts();
  const space = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(points);

  useEffect(() => {
    const element = space.current;
    if (element === null) return;
    const options = optionsOf(view, language, () => range(latest.current), onHover);
    const made = new uPlot({ ...options, width: element.clientWidth, height: HEIGHT }, [[]], element);
    made.setData(columns(latest.current, view.series));
    plot.current = made;
    const resized = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    resized.observe(element);
    const theme = matchMedia("(prefers-color-scheme: dark)");
    const themed = () => {
      made.redraw(false);
    };
    theme.addEventListener("change", themed);
    return () => {
      theme.removeEventListener("change", themed);
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [view, language, onHover]);

  useEffect(() => {
    latest.current = points;
    plot.current?.setData(columns(points, view.series));
  }, [points, view]);

  return <div ref={space} className="chart-plot" role="img" aria-label={title} style={{ height: HEIGHT }} />;
}

// The colours are read at every drawing.
const styled = (name: string) => () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

function optionsOf(
  { series }: ChartView,
  language: string,
  x: () => [from: number, to: number],
  onHover: Props["onHover"],
): Omit<uPlot.Options, "width" | "height"> {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const common = {
    font,
    stroke: styled("ink-soft"),
    grid: { stroke: styled("line"), width: 1 },
    ticks: { show: false },
  };
  const values = (side: Series["side"]): uPlot.Axis[] => {
    const write = series.find((one) => one.side === side)?.write;
    if (write === undefined) return [];
    const right = side === "right";
    return [
      {
        ...common,
        scale: side,
        ...(right && { side: RIGHT }),
        size: AXIS,
        incrs: STEPS,
        values: (_, splits) => splits.map(write),
        grid: { ...common.grid, show: !right },
      },
    ];
  };
  const scale: uPlot.Scale = { range: (_, __, most) => [0, Math.max(1, most) * ABOVE] };
  return {
    legend: { show: false },
    cursor: {
      drag: { x: false, y: false },
      y: false,
      points: { size: 7 },
      sync: { key: "charts" },
    },
    hooks: {
      setCursor: [
        ({ cursor }) => {
          onHover((cursor.left ?? -1) < 0 ? null : (cursor.idx ?? null));
        },
      ],
    },
    scales: { x: { time: true, range: x }, left: scale, right: scale },
    axes: [
      {
        ...common,
        space: TIMES_APART,
        size: 26,
        values: (_, splits) => splits.map((seconds) => clock.format(seconds * 1_000)),
      },
      ...values("left"),
      ...values("right"),
    ],
    series: [
      {},
      ...series.map(({ colour, fill, steps = false, side }): uPlot.Series => ({
        scale: side,
        stroke: styled(colour),
        width: 1.5,
        points: { show: false },
        ...(fill !== undefined && { fill: styled(fill) }),
        ...(steps && uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
      })),
    ],
  };
}
