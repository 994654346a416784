// Which commands have the same effect as what just happened?
import { memo, useEffect, useRef } from "react";

import { CopyButton } from "../../lib/CopyButton";
import { span, timeOfDay } from "../../lib/format";
import type { ConsoleLine } from "../../live/state";
import { useTexts } from "../../text/texts";
import { equivalent, folded, type Target } from "./equivalent";
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

  // A person who has scrolled back keeps their place.
  useEffect(() => {
    if (log.current && following.current) log.current.scrollTop = log.current.scrollHeight;
  }, [lines]);

  return (
    <section className="panel console" aria-labelledby="console-title">
      <header className="panel-head">
        <h2 id="console-title">{texts.console}</h2>
        <span className="muted">{texts.consoleHint}</span>
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
        {lines.map((line) => (
          <Line key={line.seq} line={line} target={target} />
        ))}
      </div>
    </section>
  );
});

function Line({ line, target }: { readonly line: ConsoleLine; readonly target: Target }) {
  const texts = useTexts();
  const command = equivalent(line.command, target);
  return (
    <div className="console-line">
      <time className="muted numbers" dateTime={new Date(line.at).toISOString()}>
        {timeOfDay(line.at, texts.language)}
      </time>
      <code className="console-command" title={command}>
        <span className="console-prompt" aria-hidden="true">
          ${" "}
        </span>
        {folded(command)}
      </code>
      <span className="console-output numbers">
        {line.output} · {span(line.took_ms)}
      </span>
      <CopyButton text={command} what={command} />
    </div>
  );
}
