// Which commands have the same effect as what just happened?
import { memo, useEffect, useMemo, useRef, useState } from "react";

import { CopyButton } from "../../lib/CopyButton";
import { timeOfDay } from "../../lib/format";
import type { ConsoleLine } from "../../live/state";
import { useTexts } from "../../text/texts";
import { folded, isLong, type Target } from "./equivalent";
import { matches, viewOf, type LineView } from "./view";
import "./console.css";

/** Distance from the end, in pixels, below which the log scrolls along. */
const FOLLOWING = 40;

interface Props {
  readonly lines: readonly ConsoleLine[];
  readonly target: Target;
}

export const ConsolePanel = memo(function ConsolePanel({ lines, target }: Props) {
  const texts = useTexts();
  const log = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [filter, setFilter] = useState("");
  const views = useMemo(() => lines.map((line) => viewOf(line, target, texts)), [lines, target, texts]);
  const shown = views.filter((view) => matches(view, filter));

  // A person who has scrolled back keeps their place.
  useEffect(() => {
    if (log.current && following.current) log.current.scrollTop = log.current.scrollHeight;
  }, [lines, filter]);

  return (
    <section className="panel console" aria-labelledby="console-title">
      <header className="panel-head">
        <h2 id="console-title">{texts.console}</h2>
        <span className="console-hint muted">{texts.consoleHint}</span>
        <input
          type="search"
          className="console-filter"
          aria-label={texts.consoleFilter}
          placeholder={texts.consoleFilter}
          value={filter}
          onChange={({ currentTarget }) => {
            setFilter(currentTarget.value);
          }}
        />
      </header>
      <div
        ref={log}
        className="console-log"
        role="log"
        aria-label={texts.consoleLog}
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          following.current = scrollHeight - scrollTop - clientHeight < FOLLOWING;
        }}
      >
        {lines.length === 0 && <p className="empty">{texts.consoleEmpty}</p>}
        {lines.length > 0 && shown.length === 0 && <p className="empty">{texts.consoleNoMatch}</p>}
        {shown.map((view) => (
          <Line key={view.line.seq} view={view} />
        ))}
      </div>
    </section>
  );
});

function Line({ view: { line, event, command, output } }: { readonly view: LineView }) {
  const texts = useTexts();
  const [whole, setWhole] = useState(false);
  return (
    <div className="console-line" data-kind={line.kind}>
      <time className="muted numbers" dateTime={new Date(line.at).toISOString()}>
        {timeOfDay(line.at, texts.language)}
      </time>
      {event === null ? (
        <code className="console-text" data-whole={whole} title={command}>
          <span className="console-prompt" aria-hidden="true">
            ${" "}
          </span>
          {whole ? command : folded(command)}
        </code>
      ) : (
        <span className="console-text" title={event}>
          {event}
        </span>
      )}
      <span className="console-output numbers" title={output}>
        {output}
      </span>
      <span className="console-buttons">
        {event === null && isLong(command) && (
          <button
            type="button"
            className="button small quiet"
            aria-expanded={whole}
            aria-label={texts.wholeLabel(command)}
            onClick={() => {
              setWhole(!whole);
            }}
          >
            …
          </button>
        )}
        <CopyButton text={command} what={command} />
      </span>
    </div>
  );
}
