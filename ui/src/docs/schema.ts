// How is a JSON schema of the description written for people?
//
// A reference to a named schema becomes its name, which the page links; everything else is written out. Pure.
import type { Schema, Schemas } from "./openapi";

const REFERENCE = "#/components/schemas/";

/** Part of a type's text; `schema` is set where the text is the name of a schema. */
export interface TypePart {
  readonly text: string;
  readonly schema?: string;
}

/** Returns the name in a reference to a schema of the same description; `null` for any other schema. */
export function nameOf(schema: Schema): string | null {
  return schema.$ref?.startsWith(REFERENCE) ? schema.$ref.slice(REFERENCE.length) : null;
}

/** Follows references until a schema is written out; `null` where one leads nowhere or in a circle. */
export function resolve(schema: Schema, schemas: Schemas): Schema | null {
  const seen = new Set<string>();
  let current = schema;
  while (current.$ref !== undefined) {
    const name = nameOf(current);
    const next = name === null || seen.has(name) ? undefined : schemas[name];
    if (name === null || next === undefined) return null;
    seen.add(name);
    current = next;
  }
  return current;
}

/** Writes the type of a schema: "array of ", "Job". */
export function typeOf(schema: Schema): TypePart[] {
  const name = nameOf(schema);
  if (name !== null) return [{ text: name, schema: name }];
  if (schema.allOf) return joined(schema.allOf.map(typeOf), " and ");
  const variants = schema.oneOf ?? schema.anyOf;
  // Variants with fields of their own are shown one by one below the type.
  if (variants) return variants.some(({ properties }) => properties) ? text("object") : either(variants);
  if (typeof schema.type === "object") return either(schema.type.map((type) => ({ ...schema, type })));
  if (schema.type === "array") return [{ text: "array of " }, ...typeOf(schema.items ?? {})];
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return [{ text: "map of " }, ...typeOf(schema.additionalProperties)];
  }
  const type = schema.type ?? "any value";
  return text(schema.format === undefined || type === "null" ? type : `${type} (${schema.format})`);
}

/** Writes the limits on a value: "at least 1", "one of `delete`, `kill`". */
export function limitsOf(schema: Schema): string[] {
  const code = (value: unknown) => `\`${literal(value)}\``;
  const limits: string[] = [];
  if (schema.enum) limits.push(`${schema.enum.length > 1 ? "one of " : "always "}${schema.enum.map(code).join(", ")}`);
  if (schema.minimum !== undefined) limits.push(`at least ${schema.minimum}`);
  if (schema.maximum !== undefined) limits.push(`at most ${schema.maximum}`);
  if (schema.default !== undefined) limits.push(`default ${code(schema.default)}`);
  return limits;
}

/** Writes a value as text: a string as it is, anything else as JSON. */
export function literal(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Returns the schemas whose fields are listed: the object itself, the items of an array, or each variant. */
export function fieldsOf(schema: Schema): readonly Schema[] {
  if (schema.properties) return [schema];
  if (schema.items) return fieldsOf(schema.items);
  return (schema.oneOf ?? schema.anyOf ?? schema.allOf ?? []).flatMap(fieldsOf);
}

/** Makes up a value that fits the schema: its example where there is one, otherwise the simplest. */
export function exampleOf(schema: Schema, schemas: Schemas): unknown {
  const found = resolve(schema, schemas);
  if (found === null) return null;
  const given = found.example ?? found.default ?? found.enum?.[0];
  if (given !== undefined) return given;
  const variant = found.oneOf?.[0] ?? found.anyOf?.[0] ?? found.allOf?.[0];
  if (variant) return exampleOf(variant, schemas);
  switch (typeof found.type === "object" ? found.type[0] : found.type) {
    case "object":
      return Object.fromEntries(
        (found.required ?? []).map((name) => [name, exampleOf(found.properties?.[name] ?? {}, schemas)]),
      );
    case "array":
      return [];
    case "integer":
    case "number":
      return Math.min(Math.max(1, found.minimum ?? 1), found.maximum ?? Infinity);
    case "boolean":
      return false;
    case "string":
      return "text";
    default:
      return null;
  }
}

function either(schemas: readonly Schema[]): TypePart[] {
  return joined(schemas.map(typeOf), " or ");
}

function joined(types: readonly TypePart[][], word: string): TypePart[] {
  return types.flatMap((type, i) => (i > 0 ? [{ text: word }, ...type] : type));
}

function text(type: string): TypePart[] {
  return [{ text: type }];
}
