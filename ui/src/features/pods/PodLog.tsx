// What are the last lines of a pod's log?
import { useCallback, useEffect, useRef, useState } from "react";

import type { Api } from "../../api/client";
import type { Answer } from "../../api/problem";
import type { Texts } from "../../text/en";
import { useTexts } from "../../text/texts";

export function PodLog({ pod, api }: { readonly pod: string; readonly api: Api }) {
  const texts = useTexts();
  const [answer, setAnswer] = useState<Answer<string> | null>(null);
  const latest = useRef(0);

  const read = useCallback(async () => {
    latest.current += 1;
    const turn = latest.current;
    const next = await api.podLog(pod);
    // Only the answer to the latest request counts.
    if (turn === latest.current) setAnswer(next);
  }, [api, pod]);

  useEffect(() => {
    void read();
    return () => {
      latest.current += 1;
    };
  }, [read]);

  return (
    <section className="pod-log" aria-label={texts.log}>
      <header className="panel-head">
        <h3>{texts.log}</h3>
        <button type="button" className="button small quiet" onClick={() => void read()}>
          {texts.logAgain}
        </button>
      </header>
      {answer?.ok === false ? (
        <p className="error" role="alert">
          {answer.problem.message}
        </p>
      ) : (
        // Scrolls, so it must be reachable by keyboard; screen readers do not announce a hundred lines by themselves.
        <pre className="pod-log-text" role="log" aria-live="off" aria-label={texts.logOf(pod)} tabIndex={0}>
          {textOf(answer, texts)}
        </pre>
      )}
    </section>
  );
}

function textOf(answer: Answer<string> | null, texts: Texts): string {
  if (answer === null) return texts.logReading;
  return answer.ok && answer.value !== "" ? answer.value : texts.logEmpty;
}
