// How is one operation shown?
import { CommandLine } from "./CommandLine";
import { curlOf, type Target } from "./curl";
import type { Body, Route, Schemas } from "./openapi";
import { Inline, Prose } from "./Prose";
import { BodySchema, Field } from "./SchemaView";

export function RouteView({ route, target }: { readonly route: Route; readonly target: Target }) {
  const { id, method, path, operation } = route;
  const { summary, description, parameters = [], requestBody, responses = {} } = operation;
  const title = `${id}-title`;
  return (
    <article id={id} className="route" aria-labelledby={title}>
      <h3 id={title}>
        <a href={`#${id}`}>
          <Address method={method} path={path} />
        </a>
      </h3>
      {summary !== undefined && (
        <p className="route-summary">
          <Inline text={summary} />
        </p>
      )}
      {description !== undefined && <Prose text={description} />}
      <CommandLine command={curlOf(route, target)} subject={`${method} ${path}`} />
      {parameters.length > 0 && (
        <>
          <h4>Parameters</h4>
          <dl className="fields">
            {parameters.map(({ name, in: place, required = false, schema = {}, description, example }) => (
              <Field key={`${place} ${name}`} {...{ name, place, required, schema, description, example }} />
            ))}
          </dl>
        </>
      )}
      {requestBody && (
        <>
          <h4>Request body{requestBody.required === true && <span className="required"> required</span>}</h4>
          <BodyView body={requestBody} schemas={target.schemas} />
        </>
      )}
      <h4>Responses</h4>
      <dl className="fields">
        {Object.entries(responses).map(([status, body]) => (
          <div key={status} className="field">
            <dt>
              <code className="field-name">{status}</code>
            </dt>
            <dd>
              <BodyView body={body} schemas={target.schemas} />
            </dd>
          </div>
        ))}
      </dl>
    </article>
  );
}

/** Renders a method and a path. */
export function Address({ method, path }: { readonly method: string; readonly path: string }) {
  return (
    <>
      <span className="method" data-method={method}>
        {method}
      </span>{" "}
      <code>{path}</code>
    </>
  );
}

function BodyView({ body, schemas }: { readonly body: Body; readonly schemas: Schemas }) {
  return (
    <>
      {body.description !== undefined && <Prose text={body.description} />}
      {Object.entries(body.content ?? {}).map(([type, { schema }]) => (
        <div key={type} className="body">
          <span className="muted mono">{type}</span> {schema && <BodySchema schema={schema} schemas={schemas} />}
        </div>
      ))}
    </>
  );
}
