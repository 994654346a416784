// Which commands have the same effect as what just happened?
import { Fragment, useEffect, useRef } from "react";

import { span } from "../../lib/format";
import type { ConsoleLine } from "../../live/state";
import "./console.css";

/** Distance from the end, in pixels, below which the log scrolls along. */
const FOLLOWING = 40;

export function ConsolePanel({ lines }: { readonly lines: readonly ConsoleLine[] }) {
  const log = useRef<HTMLDivElement>(null);
  const following = useRef(true);

  // A person who has scrolled back keeps their place.
  useEffect(() => {
    if (log.current && following.current) log.current.scrollTop = log.current.scrollHeight;
  }, [lines]);

  return (
    <section className="panel console" aria-labelledby="console-title">
      <header className="panel-head">
        <h2 id="console-title">Console</h2>
        <span className="muted">actions as commands</span>
      </header>
      <div
        ref={log}
        className="console-log"
        role="log"
        aria-label="Commands"
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          following.current = scrollHeight - scrollTop - clientHeight < FOLLOWING;
        }}
      >
        {lines.length === 0 ? (
          <p className="empty">Kill a pod or change the scale: the command that does it appears here.</p>
        ) : (
          lines.map((line) => (
            <div key={line.seq} className="console-line">
              <p className="console-command">
                <code>
                  <span className="console-prompt" aria-hidden="true">
                    ${" "}
                  </span>
                  <Words text={line.command} />
                </code>
              </p>
              <p className="console-output">
                <span className="mono">{line.output}</span>
                <span className="numbers">{span(line.took_ms)}</span>
              </p>
            </div>
          ))
        )}
      </div>
    </section>
  );
}

// Breaks lines between words only: a break at the hyphen of an option would look like another option.
function Words({ text }: { readonly text: string }) {
  return text.split(" ").map((word, i) => (
    // The words of a line never change their order.
    <Fragment key={i}>
      {i > 0 && " "}
      <span className="console-word">{word}</span>
    </Fragment>
  ));
}
