// How does a person who does not see the page learn that a run has ended?
import { useEffect, useRef, useState } from "react";

import { span } from "../lib/format";
import { isOpen, jobsOf, receipt } from "../live/runs";
import type { State } from "../live/state";
import { useTexts } from "../text/texts";

/** Announces the end of each run once. */
export function Announcer({ runs, jobs }: Pick<State, "runs" | "jobs">) {
  const texts = useTexts();
  const [said, setSaid] = useState("");
  const open = useRef(new Set<string>());

  useEffect(() => {
    const ended = runs.filter((run) => open.current.has(run.id) && !isOpen(run, jobs));
    open.current = new Set(runs.filter((run) => isOpen(run, jobs)).map(({ id }) => id));
    const [run] = ended;
    if (!run) return;
    const { done, failed, took } = receipt(run, jobsOf(run, jobs));
    setSaid(texts.runEnded(done, failed, took === null ? "" : span(took)));
  }, [runs, jobs, texts]);

  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {said}
    </p>
  );
}
