// How many images wait, and how fast are they processed?
import type { Queue } from "../../api/types";
import { count, rate, span } from "../../lib/format";
import { Sparkline } from "./Sparkline";
import "./queue.css";

export function QueuePanel({ queue, history }: { readonly queue: Queue | null; readonly history: readonly number[] }) {
  return (
    <section className="panel queue" aria-labelledby="queue-title">
      <header className="panel-head">
        <h2 id="queue-title">Queue</h2>
        {queue && <span className="muted numbers">{oldest(queue)}</span>}
      </header>
      {!queue ? (
        <p className="empty">Waiting for the counts of the queue.</p>
      ) : (
        <>
          <dl className="figures numbers">
            <Figure name="waiting" value={count(queue.waiting)} strong />
            <Figure name="running" value={count(queue.running)} strong />
            <Figure name="per second" value={rate(queue.per_second)} strong />
          </dl>
          <Sparkline values={history} label="Images in the queue, last two minutes" />
          <dl className="figures numbers">
            <Figure name="done" value={count(queue.done)} />
            <Figure name="failed" value={count(queue.failed)} />
            <Figure name="dead letters" value={count(queue.dead)} />
          </dl>
        </>
      )}
    </section>
  );
}

function Figure({
  name,
  value,
  strong = false,
}: {
  readonly name: string;
  readonly value: string;
  readonly strong?: boolean;
}) {
  return (
    <div className="figure" data-strong={strong}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function oldest({ waiting, oldest_ms }: Queue): string {
  return waiting > 0 && typeof oldest_ms === "number" ? `oldest ${span(oldest_ms)}` : "";
}
