// How have throughput, times, queue and pods changed?
import { useState, useSyncExternalStore } from "react";

import { timeOfDay } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { ChartTable } from "./ChartTable";
import { Plot } from "./Plot";
import type { Point, Recorder } from "./recorder";
import { CHARTS, type ChartView } from "./views";

export default function Charts({ recorder }: { readonly recorder: Recorder }) {
  const texts = useTexts();
  const points = useSyncExternalStore(recorder.subscribe, recorder.points);
  const [first] = points;
  return (
    <>
      <p className="muted numbers">
        {first === undefined ? texts.charts.wait : texts.charts.since(timeOfDay(first.at, texts.language))}
      </p>
      <div className="charts-all">
        {CHARTS.map((view) => (
          <Chart key={view.name} view={view} points={points} />
        ))}
      </div>
    </>
  );
}

function Chart({ view, points }: { readonly view: ChartView; readonly points: readonly Point[] }) {
  const texts = useTexts();
  const [hovered, setHovered] = useState<number | null>(null);
  const title = texts.charts.titles[view.name];
  const under = hovered === null ? undefined : points[hovered];
  const point = under ?? points.at(-1);
  return (
    <section className="chart-view" aria-label={title}>
      <header className="chart-head">
        <h3>{title}</h3>
        {view.name === "times" && <span className="muted">{texts.charts.note}</span>}
        <span className="muted numbers">{under ? timeOfDay(under.at, texts.language) : texts.charts.now}</span>
      </header>
      <ul className="chart-values numbers">
        {view.series.map(({ name, colour, valueOf, write }) => {
          const value = point ? valueOf(point) : null;
          return (
            <li key={name}>
              <span className="chart-key" style={{ background: `var(--${colour})` }} aria-hidden="true" />
              <span className="muted">{texts.charts.series[name]}</span> {value === null ? "–" : write(value)}
            </li>
          );
        })}
      </ul>
      <Plot view={view} points={points} title={title} onHover={setHovered} />
      <ChartTable view={view} points={points} title={title} />
    </section>
  );
}
