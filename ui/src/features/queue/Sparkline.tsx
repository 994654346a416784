// How has a number changed recently?
import { HISTORY_MAX } from "../../live/state";
import { useTexts } from "../../text/texts";

/** Size of the view box, in its own units; the page stretches the drawing to its width. */
const WIDTH = 240;
const HEIGHT = 40;
/** Space at the top for the thickness of the line. */
const TOP = 2;

export function Sparkline({ values }: { readonly values: readonly number[] }) {
  const texts = useTexts();
  const line = points(values).map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
  const first = line[0]?.split(",")[0];
  return (
    <figure className="chart">
      <svg
        className="sparkline"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={texts.queueChart}
      >
        <line x1="0" y1={HEIGHT - 0.5} x2={WIDTH} y2={HEIGHT - 0.5} className="sparkline-baseline" />
        {first !== undefined && line.length > 1 && (
          <>
            <polygon points={`${first},${HEIGHT} ${line.join(" ")} ${WIDTH},${HEIGHT}`} className="sparkline-area" />
            <polyline points={line.join(" ")} className="sparkline-line" />
          </>
        )}
      </svg>
      <figcaption className="chart-axis muted numbers" aria-hidden="true">
        <span>{texts.chartFrom}</span>
        <span>{texts.chartMost(Math.max(0, ...values))}</span>
        <span>{texts.chartTo}</span>
      </figcaption>
    </figure>
  );
}

/** Returns the position of each value: the newest at the right edge, the largest at the top. */
export function points(values: readonly number[]): [x: number, y: number][] {
  const top = Math.max(1, ...values);
  const step = WIDTH / (HISTORY_MAX - 1);
  return values.map((value, i) => [
    WIDTH - (values.length - 1 - i) * step,
    HEIGHT - 1 - (value / top) * (HEIGHT - 1 - TOP),
  ]);
}
