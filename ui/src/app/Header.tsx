// Whose page is this, and is it live?
import type { Model, Status } from "../api/types";
import type { Connection } from "../live/reader";
import { count, percent } from "./format";

const SAID: Record<Connection, string> = {
  connecting: "connecting",
  open: "live",
  waiting: "no connection, trying again",
  unauthorised: "token needed",
};

export function Header({ status, connection }: { readonly status: Status | null; readonly connection: Connection }) {
  return (
    <header className="top">
      <span className="mark glyph" lang="ja" aria-hidden="true">
        か
      </span>
      <div className="top-names">
        <h1>kana</h1>
        <p className="muted">{status ? <ModelLine model={status.model} /> : "reads images, and loses none"}</p>
      </div>
      <p className="top-live" data-connection={connection} role="status">
        <span className="top-dot" aria-hidden="true" />
        {SAID[connection]}
        {status && <span className="muted numbers"> · {status.version}</span>}
      </p>
    </header>
  );
}

function ModelLine({ model }: { readonly model: Model }) {
  const best = model.evaluation[0];
  return (
    <>
      <span title={model.description}>
        model <strong>{model.name}</strong>, {count(model.labels.length)} classes
      </span>
      {best && (
        <span className="numbers" title={best.protocol}>
          {" "}
          · {percent(best.accuracy)} of {count(best.images)} images read right
        </span>
      )}
    </>
  );
}
