// What are the last lines of a pod's log?
import { useCallback, useEffect, useRef, useState } from "react";

import type { Api } from "../../api/client";
import type { Answer } from "../../api/problem";

interface Props {
  /** Name of the pod. */
  readonly pod: string;
  readonly api: Api;
  readonly onClose: () => void;
}

export function PodLog({ pod, api, onClose }: Props) {
  const [answer, setAnswer] = useState<Answer<string> | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const latest = useRef(0);

  const read = useCallback(async () => {
    latest.current += 1;
    const turn = latest.current;
    const next = await api.podLog(pod);
    // Only the answer to the latest request counts.
    if (turn === latest.current) setAnswer(next);
  }, [api, pod]);

  useEffect(() => {
    // Keyboard users continue from here.
    heading.current?.focus();
    void read();
    return () => {
      latest.current += 1;
    };
  }, [read]);

  return (
    <section className="pod-log" aria-labelledby="pod-log-title">
      <header className="panel-head">
        <h3 id="pod-log-title" ref={heading} tabIndex={-1}>
          Log of {pod}
        </h3>
        <span>
          <button type="button" className="button small quiet" onClick={() => void read()}>
            Read again
          </button>
          <button type="button" className="button small quiet" onClick={onClose}>
            Close
          </button>
        </span>
      </header>
      {answer?.ok === false && (
        <p className="error" role="alert">
          {answer.problem.message}
        </p>
      )}
      {answer?.ok !== false && (
        // Scrolls, so it must be reachable by keyboard; screen readers do not announce a hundred lines by themselves.
        <pre className="pod-log-text" role="log" aria-live="off" aria-label={`Last lines of ${pod}`} tabIndex={0}>
          {textOf(answer)}
        </pre>
      )}
    </section>
  );
}

function textOf(answer: Answer<string> | null): string {
  if (answer === null) return "Reading …";
  return answer.ok && answer.value !== "" ? answer.value : "It has written nothing yet.";
}
