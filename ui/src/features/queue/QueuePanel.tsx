// How many images wait, and how fast are they processed?
import { memo } from "react";

import type { Queue } from "../../api/types";
import { count, rate } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { ChartsButton } from "../charts/ChartsButton";
import type { Recorder } from "../charts/recorder";
import { Sparkline } from "./Sparkline";
import "./queue.css";

interface Props {
  readonly queue: Queue | null;
  readonly history: readonly number[];
  readonly recorder: Recorder;
}

export const QueuePanel = memo(function QueuePanel({ queue, history, recorder }: Props) {
  const texts = useTexts();
  const { figures } = texts;
  return (
    <section className="panel queue" aria-labelledby="queue-title">
      <header className="panel-head">
        <h2 id="queue-title">{texts.queue}</h2>
        <span className="muted numbers">
          {queue && queue.waiting > 0 && typeof queue.oldest_ms === "number" && texts.oldest(queue.oldest_ms)}
        </span>
        <ChartsButton recorder={recorder} />
      </header>
      {!queue ? (
        <p className="empty">{texts.queueWaiting}</p>
      ) : (
        <>
          <dl className="figures numbers">
            <Figure name={figures.waiting} value={count(queue.waiting)} />
            <Figure name={figures.running} value={count(queue.running)} />
            <Figure name={figures.per_second} value={rate(queue.per_second)} />
            <Figure name={figures.done} value={count(queue.done)} />
            <Figure name={figures.failed} value={count(queue.failed)} />
            <Figure name={figures.dead} value={count(queue.dead)} />
          </dl>
          <Sparkline values={history} />
        </>
      )}
    </section>
  );
});

function Figure({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
