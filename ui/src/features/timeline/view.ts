// Which part of a run is seen, and how does it change by zooming and panning?

/** Part of the time, in milliseconds since the Unix epoch. */
export interface View {
  readonly from: number;
  readonly to: number;
}

/** Shortest part that can be seen, in milliseconds. */
const SPAN_MIN = 2;

/** Shows `factor` times as much time, and keeps `at` in its place; `null` for the whole. */
export function zoomed(view: View, whole: View, factor: number, at: number): View | null {
  const span = Math.max(SPAN_MIN, (view.to - view.from) * factor);
  if (span >= whole.to - whole.from) return null;
  const share = (at - view.from) / (view.to - view.from);
  return within(at - share * span, span, whole);
}

/** Moves the view by a share of its own length, but not beyond the whole. */
export function panned(view: View, whole: View, share: number): View {
  const span = view.to - view.from;
  return within(view.from + share * span, span, whole);
}

/** Steps of the axis: at most `most` of them, each a round number of milliseconds. */
export function ticksOf(view: View, origin: number, most: number): number[] {
  const raw = Math.max(1, (view.to - view.from) / Math.max(1, most));
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((times) => times * power >= raw) ?? 10);
  const first = Math.ceil((view.from - origin) / step);
  const last = Math.floor((view.to - origin) / step);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

function within(from: number, span: number, whole: View): View {
  const start = Math.min(Math.max(from, whole.from), whole.to - span);
  return { from: start, to: start + span };
}
