// How is a schema shown: its type, and its fields?
import type { Schema, Schemas } from "./openapi";
import { Inline, Prose } from "./Prose";
import { fieldsOf, limitsOf, literal, nameOf, resolve, typeOf } from "./schema";

/** Returns the anchor of a named schema. */
export function anchorOf(name: string): string {
  return `schema-${name}`;
}

/** Renders the type of a schema; names of schemas link to where their fields are. */
export function TypeName({ schema }: { readonly schema: Schema }) {
  return (
    <span className="type mono">
      {typeOf(schema).map(({ text, schema: name }, i) =>
        name === undefined ? (
          text
        ) : (
          <a key={i} href={`#${anchorOf(name)}`}>
            {text}
          </a>
        ),
      )}
    </span>
  );
}

interface FieldProps {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
  /** Part of the request that holds the field: "path" or "query", say. */
  readonly place?: string;
  readonly description?: string | undefined;
  readonly example?: unknown;
}

/** Renders one parameter or one field of an object. */
export function Field({ name, schema, required, place, description, example }: FieldProps) {
  const notes = limitsOf(schema);
  if (example !== undefined) notes.push(`for example \`${literal(example)}\``);
  return (
    <div className="field">
      <dt>
        <code className="field-name">{name}</code> <TypeName schema={schema} />
        {place !== undefined && <span className="muted"> in {place}</span>}
        {required && <span className="required"> required</span>}
      </dt>
      <dd>
        {description !== undefined && <Prose text={description} />}
        {notes.length > 0 && (
          <p className="muted">
            <Inline text={notes.join("; ")} />
          </p>
        )}
      </dd>
    </div>
  );
}

/** Renders the fields of an object, of the items of an array, or of each variant. */
export function Fields({ schema }: { readonly schema: Schema }) {
  const objects = fieldsOf(schema);
  return objects.map(({ description, properties = {}, required = [] }, i) => (
    // The variants of one schema never change their order.
    <div key={i} className="variant">
      {objects.length > 1 && (
        <p className="muted">
          Variant {i + 1} of {objects.length}
          {description !== undefined && (
            <>
              : <Inline text={description} />
            </>
          )}
        </p>
      )}
      <dl className="fields">
        {Object.entries(properties).map(([name, field]) => (
          <Field
            key={name}
            name={name}
            schema={field}
            required={required.includes(name)}
            description={field.description}
          />
        ))}
      </dl>
    </div>
  ));
}

/** Renders the type of a body and, behind a disclosure, its fields. */
export function BodySchema({ schema, schemas }: { readonly schema: Schema; readonly schemas: Schemas }) {
  const item = schema.items ?? schema;
  const found = resolve(item, schemas);
  return (
    <>
      <TypeName schema={schema} />
      {found !== null && fieldsOf(found).length > 0 && (
        <details>
          <summary>Fields of {nameOf(item) ?? "the object"}</summary>
          <Fields schema={found} />
        </details>
      )}
    </>
  );
}
