// What did one pod write last?
import { useCallback, useEffect, useRef, useState } from "react";

import type { Api } from "../../api/client";
import type { Answer } from "../../api/trouble";

interface Props {
  /** Its name. */
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
    const said = await api.podLog(pod);
    // A later question has the word.
    if (turn === latest.current) setAnswer(said);
  }, [api, pod]);

  useEffect(() => {
    // Whoever asked by keyboard goes on from here.
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
        <p className="trouble" role="alert">
          {answer.trouble.message}
        </p>
      )}
      {answer?.ok !== false && (
        // Scrolls, so it can be reached by keyboard; a hundred lines are not to be read out unasked.
        <pre className="pod-log-text" role="log" aria-live="off" aria-label={`Last lines of ${pod}`} tabIndex={0}>
          {wordsOf(answer)}
        </pre>
      )}
    </section>
  );
}

function wordsOf(answer: Answer<string> | null): string {
  if (answer === null) return "Reading …";
  return answer.ok && answer.value !== "" ? answer.value : "It has written nothing yet.";
}
