// Which pod worked at which image, and when?
import { memo, useDeferredValue, useMemo, useState } from "react";

import type { Job } from "../../api/types";
import { isOpen, jobsOf } from "../../live/runs";
import type { RunView, State } from "../../live/state";
import { useTexts } from "../../text/texts";
import { Chart } from "./Chart";
import { Facts } from "./Facts";
import { timelineOf, type Timeline } from "./layout";
import { useServiceNow } from "./useServiceNow";
import { panned, zoomed, type View } from "./view";
import "./timeline.css";

/** Factor of one step of zooming, and share of the view of one step aside. */
const ZOOM = 0.6;
const STEP = 0.25;
const NO_JOBS: readonly Job[] = [];

interface Props {
  /** Run to show; `null` while there is none. */
  readonly run: RunView | null;
  readonly jobs: State["jobs"];
}

export const TimelinePanel = memo(function TimelinePanel({ run, jobs: all }: Props) {
  const texts = useTexts();
  const own = useMemo(() => (run ? jobsOf(run, all) : NO_JOBS), [run, all]);
  const jobs = useDeferredValue(own);
  const now = useServiceNow(jobs, run !== null && isOpen(run, all));
  const timeline = useMemo(() => timelineOf(jobs, now), [jobs, now]);
  const [zoom, setZoom] = useState<{ readonly run: string; readonly view: View | null } | null>(null);
  const [asTable, setAsTable] = useState(false);
  const view = zoom !== null && zoom.run === run?.id ? zoom.view : null;
  const show = (next: View | null) => {
    if (run) setZoom({ run: run.id, view: next });
  };
  return (
    <section className="panel timeline" aria-labelledby="timeline-title">
      <header className="panel-head">
        <h2 id="timeline-title">{texts.timeline}</h2>
        <Tools
          timeline={timeline}
          view={view}
          asTable={asTable}
          onView={show}
          onTable={() => {
            setAsTable(!asTable);
          }}
        />
      </header>
      {timeline === null ? (
        <p className="empty">{texts.timelineEmpty}</p>
      ) : (
        <>
          {!asTable && <Chart timeline={timeline} view={view} label={labelOf(timeline, jobs, texts)} onView={show} />}
          <div className={asTable ? "timeline-facts" : "visually-hidden"}>
            <Facts timeline={timeline} jobs={jobs} />
          </div>
        </>
      )}
    </section>
  );
});

interface ToolsProps {
  readonly timeline: Timeline | null;
  readonly view: View | null;
  readonly asTable: boolean;
  readonly onView: (view: View | null) => void;
  readonly onTable: () => void;
}

function Tools({ timeline, view, asTable, onView, onTable }: ToolsProps) {
  const texts = useTexts();
  const zoom = (factor: number) => {
    if (timeline === null) return;
    const seen = view ?? timeline;
    onView(zoomed(seen, timeline, factor, (seen.from + seen.to) / 2));
  };
  const pan = (share: number) => {
    if (timeline !== null && view !== null) onView(panned(view, timeline, share));
  };
  const whole = view === null;
  const keys: Readonly<Record<string, () => void>> = {
    "+": () => {
      zoom(ZOOM);
    },
    "-": () => {
      zoom(1 / ZOOM);
    },
    "0": () => {
      onView(null);
    },
    ArrowLeft: () => {
      pan(-STEP);
    },
    ArrowRight: () => {
      pan(STEP);
    },
  };
  const tool = (key: string, label: string, sign: string, disabled: boolean) => (
    <button
      type="button"
      className="button small quiet"
      aria-label={label}
      aria-keyshortcuts={key}
      aria-disabled={disabled || timeline === null || asTable}
      onClick={keys[key]}
    >
      {sign}
    </button>
  );
  return (
    <div
      className="timeline-tools"
      role="toolbar"
      tabIndex={-1}
      aria-label={texts.timelineTools}
      onKeyDown={({ key, ctrlKey, metaKey }) => {
        if (!ctrlKey && !metaKey) keys[key]?.();
      }}
    >
      {tool("ArrowLeft", texts.timelineEarlier, "←", whole)}
      {tool("ArrowRight", texts.timelineLater, "→", whole)}
      {tool("-", texts.timelineOut, "−", whole)}
      {tool("+", texts.timelineIn, "+", false)}
      {tool("0", texts.timelineWhole, "⤢", whole)}
      <button type="button" className="button small quiet" aria-pressed={asTable} onClick={onTable}>
        {texts.timelineTable}
      </button>
    </div>
  );
}

function labelOf({ lanes, arrows }: Timeline, jobs: readonly Job[], texts: ReturnType<typeof useTexts>): string {
  const ended = lanes.flatMap(({ pod, marks }) => (pod !== null && marks.length > 0 ? [pod] : []));
  return texts.timelineLabel({
    images: jobs.length,
    done: jobs.filter(({ state }) => state === "done").length,
    pods: lanes.filter(({ pod }) => pod !== null).length,
    ended,
    redelivered: new Set(arrows.map(({ job }) => job)).size,
  });
}
