// What was done behind the scenes, as one would have typed it?
import { useEffect, useRef } from "react";

import { span } from "../../app/format";
import type { ConsoleLine } from "../../live/state";
import "./console.css";

/** Closer to the end than this many pixels, the reader is following along. */
const FOLLOWING = 40;

export function ConsolePanel({ lines }: { readonly lines: readonly ConsoleLine[] }) {
  const log = useRef<HTMLDivElement>(null);
  const following = useRef(true);

  // Whoever has scrolled back to read is left in peace.
  useEffect(() => {
    if (log.current && following.current) log.current.scrollTop = log.current.scrollHeight;
  }, [lines]);

  return (
    <section className="panel console" aria-labelledby="console-title">
      <header className="panel-head">
        <h2 id="console-title">Console</h2>
        <span className="muted">what was done, as commands</span>
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
                  <span aria-hidden="true">$ </span>
                  {line.command}
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
