// How is the description of the API laid out?
import { useEffect, useState } from "react";

import type { Answer } from "../api/problem";
import { groupsOf, type Description, type Group, type Schemas, type SecurityScheme } from "./openapi";
import { Inline, Prose } from "./Prose";
import { ADDRESS } from "./load";
import { Address, RouteView } from "./RouteView";
import { anchorOf, Fields, TypeName } from "./SchemaView";
import { fieldsOf, limitsOf } from "./schema";

interface Props {
  readonly load: () => Promise<Answer<Description>>;
  /** Address of the gateway, without a slash at its end. */
  readonly gateway: string;
}

export function DocsPage({ load, gateway }: Props) {
  const [answer, setAnswer] = useState<Answer<Description> | null>(null);
  useEffect(() => {
    void load().then(setAnswer);
  }, [load]);
  useEffect(() => {
    // The browser looked for the anchor before the description was there.
    reveal();
    window.addEventListener("hashchange", reveal);
    return () => {
      window.removeEventListener("hashchange", reveal);
    };
  }, [answer]);

  return (
    <div className="page docs">
      {answer === null && <p className="empty">Reading the description …</p>}
      {answer?.ok === false && (
        <p className="error" role="alert">
          {answer.problem.message}
        </p>
      )}
      {answer?.ok === true && <Contents description={answer.value} gateway={gateway} />}
    </div>
  );
}

function Contents({ description, gateway }: { readonly description: Description; readonly gateway: string }) {
  const { info, components = {} } = description;
  const { schemas = {}, securitySchemes = {} } = components;
  const groups = groupsOf(description);
  return (
    <>
      <header className="top">
        <a className="mark glyph" lang="ja" href="../" aria-label="The page of kana">
          か
        </a>
        <div className="top-names">
          <h1>{info.title} API</h1>
          <p className="muted">
            <span className="numbers">{info.version}</span> · <a href={ADDRESS}>openapi.json</a>
          </p>
        </div>
      </header>
      <div className="docs-layout">
        <Navigation groups={groups} />
        <main>
          {info.description !== undefined && <Prose text={info.description} className="docs-intro" />}
          {Object.entries(securitySchemes).map(([name, scheme]) => (
            <Security key={name} scheme={scheme} />
          ))}
          {groups.map(({ tag, routes }) => (
            <section key={tag} aria-label={tag}>
              <h2 className="tag">{tag}</h2>
              {routes.map((route) => (
                <RouteView key={route.id} route={route} target={{ gateway, schemas }} />
              ))}
            </section>
          ))}
          <SchemaList schemas={schemas} />
        </main>
      </div>
    </>
  );
}

function Navigation({ groups }: { readonly groups: readonly Group[] }) {
  return (
    <nav className="docs-nav" aria-label="Operations">
      {groups.map(({ tag, routes }) => (
        <div key={tag}>
          <p className="tag">{tag}</p>
          <ul>
            {routes.map(({ id, method, path, operation }) => (
              <li key={id}>
                <a href={`#${id}`} title={operation.summary}>
                  <Address method={method} path={path} />
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <p className="tag">
        <a href="#schemas">schemas</a>
      </p>
    </nav>
  );
}

function Security({ scheme }: { readonly scheme: SecurityScheme }) {
  return (
    <p className="docs-intro">
      Authentication: {scheme.scheme ?? scheme.type} token. {scheme.description}
    </p>
  );
}

function SchemaList({ schemas }: { readonly schemas: Schemas }) {
  return (
    <section aria-labelledby="schemas">
      <h2 className="tag" id="schemas">
        schemas
      </h2>
      {Object.entries(schemas).map(([name, schema]) => (
        <details key={name} id={anchorOf(name)} className="schema">
          <summary>
            <code>{name}</code>{" "}
            <span className="muted">
              <Inline text={schema.description ?? ""} />
            </span>
          </summary>
          {fieldsOf(schema).length > 0 ? (
            <Fields schema={schema} />
          ) : (
            <>
              <TypeName schema={schema} />
              <Prose text={limitsOf(schema).join("; ")} className="muted" />
            </>
          )}
        </details>
      ))}
    </section>
  );
}

/** Scrolls to the element that the address names, and opens it where it is closed. */
function reveal(): void {
  const target = document.getElementById(window.location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}
