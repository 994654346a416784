// Which service is this, and is the connection live?
import { useContext, type ReactNode } from "react";

import type { Api } from "../api/client";
import type { Model, Status } from "../api/types";
import { ModelButton } from "../features/model/ModelButton";
import type { Connection } from "../live/stream";
import { ThemeMenu } from "../features/theme/ThemeMenu";
import { LANGUAGE_NAMES, LanguageContext, useTexts } from "../text/texts";
import { ReportLink } from "./ReportLink";

interface Props {
  readonly api: Api;
  readonly status: Status | null;
  readonly connection: Connection;
  /** Called to drop the token; `null` where there is none. */
  readonly onSignOut: (() => void) | null;
  /** What stands before the links. */
  readonly children?: ReactNode;
}

export function Header({ api, status, connection, onSignOut, children }: Props) {
  const texts = useTexts();
  return (
    <header className="top">
      <span className="mark glyph" lang="ja" aria-hidden="true">
        か
      </span>
      <h1>kana</h1>
      <p className="top-model muted">
        {status ? <ModelLine api={api} model={status.model} /> : <span>{texts.tagline}</span>}
      </p>
      <nav className="top-links" aria-label={texts.links}>
        <ModelButton status={status} gateway={api.gateway} report={<ReportLink api={api} />} />
        {children}
        <a href={`${api.gateway}/docs/`}>{texts.apiLink}</a>
        <LanguageSwitch />
        <ThemeMenu />
        {onSignOut && (
          <button type="button" className="button small quiet" onClick={onSignOut}>
            {texts.signOut}
          </button>
        )}
      </nav>
      <p className="top-live" data-connection={connection} role="status">
        <span className="top-dot" aria-hidden="true" />
        {texts.connection[connection]}
        {status && <span className="muted numbers"> · {status.version}</span>}
      </p>
    </header>
  );
}

function LanguageSwitch() {
  const { language, choose } = useContext(LanguageContext);
  const other = language === "en" ? "ja" : "en";
  return (
    <button
      type="button"
      className="button small quiet"
      lang={other}
      onClick={() => {
        choose(other);
      }}
    >
      {LANGUAGE_NAMES[other]}
    </button>
  );
}

function ModelLine({ api, model }: { readonly api: Api; readonly model: Model }) {
  const texts = useTexts();
  const best = model.evaluation[0];
  return (
    <>
      <span title={model.description}>
        {texts.model} <strong>{model.name}</strong>, {texts.classes(model.labels.length)}
      </span>
      {best && (
        <span className="numbers" title={best.protocol}>
          {" · "}
          {texts.accuracy(best.accuracy, best.images)}
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
