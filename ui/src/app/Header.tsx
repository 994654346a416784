// Which service is this, and is the connection live?
import type { Api } from "../api/client";
import type { Model, Status } from "../api/types";
import type { Connection } from "../live/stream";
import { count, percent } from "../lib/format";
import { ReportLink } from "./ReportLink";

const CONNECTION_TEXT: Record<Connection, string> = {
  connecting: "connecting",
  open: "live",
  waiting: "no connection, retrying",
  unauthorised: "token needed",
};

interface Props {
  readonly api: Api;
  readonly status: Status | null;
  readonly connection: Connection;
}

export function Header({ api, status, connection }: Props) {
  return (
    <header className="top">
      <span className="mark glyph" lang="ja" aria-hidden="true">
        か
      </span>
      <div className="top-names">
        <h1>kana</h1>
        <p className="muted">
          {status ? <ModelLine api={api} model={status.model} /> : "image classification behind a durable queue"}
        </p>
      </div>
      <p className="top-live" data-connection={connection} role="status">
        <span className="top-dot" aria-hidden="true" />
        {CONNECTION_TEXT[connection]}
        {status && <span className="muted numbers"> · {status.version}</span>}
      </p>
    </header>
  );
}

function ModelLine({ api, model }: { readonly api: Api; readonly model: Model }) {
  const best = model.evaluation[0];
  return (
    <>
      <span title={model.description}>
        model <strong>{model.name}</strong>, {count(model.labels.length)} classes
      </span>
      {best && (
        <span className="numbers" title={best.protocol}>
          {" "}
          · {percent(best.accuracy)} of {count(best.images)} images classified correctly
        </span>
      )}
      {model.has_report && (
        <>
          {" · "}
          <ReportLink api={api} />
        </>
      )}
    </>
  );
}
