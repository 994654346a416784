// How is the timeline drawn?
import { useEffect, useId, useRef, useState } from "react";

import { shortName, span } from "../../lib/format";
import { useTexts } from "../../text/texts";
import type { Attempt } from "./attempts";
import type { Lane, Timeline } from "./layout";
import { arrowPaths, blocksPath, rowHeight, waitsPath, xOf, yOf, type Frame, type Kind } from "./paths";
import { useSize } from "./useSize";
import { panned, ticksOf, zoomed, type View } from "./view";

/** Heights between which a lane fits itself to the room, in pixels. */
const LANE_MIN = 18;
const LANE_MAX = 56;
const AXIS = 16;
/** Room for the mark at the end of the last lane, in pixels. */
const EDGE = 10;
/** Width that a label of the axis takes, in pixels. */
const TICK_WIDTH = 72;
const KINDS: readonly Kind[] = ["done", "running", "failed", "lost"];

interface Props {
  readonly timeline: Timeline;
  /** Part that is seen; `null` for the whole. */
  readonly view: View | null;
  readonly label: string;
  readonly onView: (view: View | null) => void;
}

export function Chart({ timeline, view: chosen, label, onView }: Props) {
  const texts = useTexts();
  const arrowhead = useId();
  const room = useRef<HTMLDivElement>(null);
  const { width: all, height } = useSize(room);
  const { lanes, arrows } = timeline;
  const view = chosen ?? timeline;
  const width = Math.max(1, all - EDGE);
  const lane = Math.min(LANE_MAX, Math.max(LANE_MIN, (height - AXIS) / Math.max(1, lanes.length)));
  const frame: Frame = { view, width, lane };
  const bottom = lane * lanes.length;

  // A wheel turned with ctrl would zoom the whole page unless the listener may prevent that.
  const latest = useRef({ view, timeline, width, onView });
  useEffect(() => {
    latest.current = { view, timeline, width, onView };
  });
  useEffect(() => {
    const target = room.current;
    if (target === null) return;
    const turn = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { view, timeline, width, onView } = latest.current;
      const share = (event.clientX - target.getBoundingClientRect().left) / width;
      const at = view.from + share * (view.to - view.from);
      onView(zoomed(view, timeline, Math.exp(event.deltaY / 300), at));
    };
    target.addEventListener("wheel", turn, { passive: false });
    return () => {
      target.removeEventListener("wheel", turn);
    };
  }, []);

  const [tip, setTip] = useState<{ readonly x: number; readonly attempt: Attempt } | null>(null);
  const dragged = useRef<number | null>(null);
  return (
    <div className="timeline-body">
      <ul className="timeline-pods" aria-hidden="true" style={{ gridAutoRows: lane }}>
        {lanes.map(({ pod, marks }) => (
          <li
            key={pod ?? ""}
            className={pod === null ? "muted" : "mono"}
            data-lost={marks.length > 0}
            title={pod ?? ""}
          >
            {pod === null ? texts.timelineQueue : shortName(pod)}
          </li>
        ))}
      </ul>
      <div
        ref={room}
        className="timeline-room"
        data-zoomed={chosen !== null}
        onPointerDown={({ clientX, currentTarget, pointerId }) => {
          if (chosen === null) return;
          dragged.current = clientX;
          currentTarget.setPointerCapture(pointerId);
        }}
        onPointerMove={({ clientX, clientY, currentTarget }) => {
          if (dragged.current !== null) {
            onView(panned(view, timeline, (dragged.current - clientX) / width));
            dragged.current = clientX;
          }
          const box = currentTarget.getBoundingClientRect();
          const x = clientX - box.left;
          const attempt = attemptAt(frame, lanes, x, clientY - box.top + currentTarget.scrollTop);
          setTip(attempt && { x, attempt });
        }}
        onPointerUp={() => {
          dragged.current = null;
        }}
        onPointerLeave={() => {
          setTip(null);
        }}
      >
        <svg role="img" aria-label={label} width={Math.max(1, all)} height={bottom + AXIS}>
          <defs>
            <marker id={arrowhead} viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto">
              <path d="M0 0L6 3L0 6z" className="timeline-head" />
            </marker>
          </defs>
          {lanes.map((drawn, i) => (
            <g key={drawn.pod ?? ""}>
              <rect y={i * lane + 1} width={Math.max(1, all)} height={lane - 2} rx="4" className="timeline-lane" />
              <path d={waitsPath(frame, drawn, i)} className="timeline-wait" />
              {KINDS.map((kind) => (
                <path key={kind} d={blocksPath(frame, drawn, i, kind)} className="timeline-block" data-kind={kind} />
              ))}
            </g>
          ))}
          {arrowPaths(frame, lanes, arrows).map((d, i) => (
            <path key={i} d={d} className="timeline-arrow" markerEnd={`url(#${arrowhead})`} />
          ))}
          {lanes.map((drawn, i) =>
            drawn.marks.map(({ at }) => (
              <Kill key={`${drawn.pod ?? ""} ${at}`} x={xOf(frame, at)} top={i * lane + 1} height={lane - 2} />
            )),
          )}
          <g className="timeline-axis numbers" aria-hidden="true">
            {ticksOf(view, timeline.from, width / TICK_WIDTH).map((ms) => (
              <text key={ms} x={Math.max(1, xOf(frame, timeline.from + ms))} y={bottom + AXIS - 4}>
                {ms === 0 ? "0" : span(ms)}
              </text>
            ))}
          </g>
        </svg>
        {tip && (
          <p className="tooltip timeline-tip" data-side={tip.x > width / 2 ? "left" : "right"} style={{ left: tip.x }}>
            {texts.timelineAttempt(tip.attempt.filename, tip.attempt.pod, {
              waited: tip.attempt.from - tip.attempt.waits,
              took: tip.attempt.to - tip.attempt.from,
              end: tip.attempt.end,
            })}
          </p>
        )}
      </div>
    </div>
  );
}

function Kill({ x, top, height }: { readonly x: number; readonly top: number; readonly height: number }) {
  const middle = top + height / 2;
  return (
    <g className="timeline-kill">
      <line x1={x} y1={top} x2={x} y2={top + height} />
      <path d={`M${x - 4} ${middle - 4}l8 8m0 -8l-8 8`} />
    </g>
  );
}

/** Returns the attempt drawn at a point; `null` between them. */
function attemptAt(frame: Frame, lanes: readonly Lane[], x: number, y: number): Attempt | null {
  const index = Math.floor(y / frame.lane);
  const lane = lanes[index];
  if (!lane) return null;
  const near = lane.blocks.filter(
    ({ row }) => Math.abs(yOf(frame, lane, index, row) - y) <= Math.max(2, rowHeight(frame, lane) / 2),
  );
  const within = (from: number, to: number) => xOf(frame, from) - 1 <= x && x <= xOf(frame, to) + 1;
  const hit =
    near.find(({ attempt }) => within(attempt.from, attempt.to)) ??
    near.find(({ attempt }) => within(attempt.waits, attempt.from));
  return hit?.attempt ?? null;
}
