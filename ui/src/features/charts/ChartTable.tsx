// What does a chart say to a person who cannot see it?
import { useState } from "react";

import { timeOfDay } from "../../lib/format";
import { useTexts } from "../../text/texts";
import type { Point } from "./recorder";
import { thinned, type ChartView } from "./views";

/** Time between two rows, in milliseconds: 60 rows for 15 minutes. */
const ROW_EVERY = 15_000;

interface Props {
  readonly view: ChartView;
  readonly points: readonly Point[];
  readonly title: string;
}

export function ChartTable({ view, points, title }: Props) {
  const texts = useTexts();
  const [open, setOpen] = useState(false);
  return (
    <details
      className="chart-table"
      onToggle={({ currentTarget }) => {
        setOpen(currentTarget.open);
      }}
    >
      <summary>{texts.charts.table}</summary>
      {open && (
        <table className="numbers">
          <caption className="visually-hidden">{texts.charts.tableOf(title)}</caption>
          <thead>
            <tr>
              <th scope="col">{texts.charts.time}</th>
              {view.series.map(({ name }) => (
                <th key={name} scope="col">
                  {texts.charts.series[name]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {thinned(points, ROW_EVERY).map((point) => (
              <tr key={point.at}>
                <th scope="row">{timeOfDay(point.at, texts.language)}</th>
                {view.series.map(({ name, valueOf, write }) => {
                  const value = valueOf(point);
                  return <td key={name}>{value === null ? "–" : write(value)}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}
