// Which command line sends a request to an operation?
//
// What only the person knows is a shell variable or the name of a file: $ID, $KANA_TOKEN, image.png. Pure.
import type { Body, Parameter, Route, Schema, Schemas } from "./openapi";
import { exampleOf, literal, resolve } from "./schema";

/** File that stands for the image to send. */
const IMAGE = "image.png";

export interface Target {
  /** Address of the gateway, without a slash at its end. */
  readonly gateway: string;
  readonly schemas: Schemas;
}

/** Writes the curl command for a route, with every required parameter and those that have an example. */
export function curlOf(route: Route, { gateway, schemas }: Target): string {
  const { parameters = [], requestBody, responses = {} } = route.operation;
  const shown = parameters.filter(({ required, example }) => required === true || example !== undefined);
  const body = requestBody ? bodyOf(requestBody, schemas) : [];
  const method = route.method === "GET" || (route.method === "POST" && body.length > 0) ? [] : ["-X", route.method];
  const headers = shown.filter((parameter) => parameter.in === "header");
  return [
    "curl",
    ...method,
    ...outputOf(responses),
    ...(isLoopback(gateway) ? [] : ["-H", quoted("Authorization: Bearer $KANA_TOKEN")]),
    ...headers.flatMap((header) => ["-H", quoted(`${header.name}: ${valueOf(header)}`)]),
    ...body,
    quoted(gateway + addressOf(route.path, shown)),
  ].join(" ");
}

function addressOf(path: string, parameters: readonly Parameter[]): string {
  const filled = parameters
    .filter((parameter) => parameter.in === "path")
    .reduce((address, parameter) => address.replace(`{${parameter.name}}`, valueOf(parameter)), path);
  const query = parameters.filter((parameter) => parameter.in === "query");
  if (query.length === 0) return filled;
  return `${filled}?${query.map((parameter) => `${parameter.name}=${valueOf(parameter)}`).join("&")}`;
}

/** Returns the example, the first of the allowed values, a number within the limits, or else a shell variable. */
function valueOf({ name, example, schema = {} }: Parameter): string {
  const value = example ?? schema.example ?? schema.default ?? schema.enum?.[0];
  if (value !== undefined) return encodeURIComponent(literal(value));
  if (schema.type === "integer" || schema.type === "number") return literal(exampleOf(schema, {}));
  return `$${name.toUpperCase().replace(/\W/g, "_")}`;
}

function bodyOf({ content = {} }: Body, schemas: Schemas): string[] {
  const [first] = Object.entries(content);
  if (!first) return [];
  const [type, { schema = {} }] = first;
  if (type === "multipart/form-data") return formOf(resolve(schema, schemas) ?? {}, schemas);
  if (type === "application/json") {
    return ["-H", quoted(`Content-Type: ${type}`), "-d", quoted(JSON.stringify(exampleOf(schema, schemas)))];
  }
  return ["-H", quoted(`Content-Type: ${type.replace("image/*", "image/png")}`), "--data-binary", `@${IMAGE}`];
}

function formOf({ properties = {} }: Schema, schemas: Schemas): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const part = schema.items ?? schema;
    return [
      "-F",
      part.format === "binary" ? `${name}=@${IMAGE}` : quoted(`${name}=${literal(exampleOf(part, schemas))}`),
    ];
  });
}

/** Returns the options without which the answer would not be readable in a terminal. */
function outputOf(responses: Readonly<Record<string, Body>>): string[] {
  const types = Object.entries(responses).flatMap(([status, { content = {} }]) =>
    status.startsWith("2") ? Object.keys(content) : [],
  );
  if (types.includes("text/event-stream")) return ["-N"];
  return types.some((type) => type.startsWith("image/")) ? ["-o", IMAGE] : [];
}

function isLoopback(gateway: string): boolean {
  const { hostname } = new URL(gateway);
  return hostname === "[::1]" || hostname.startsWith("127.") || /(^|\.)localhost$/.test(hostname);
}

/** Quotes a word for a POSIX shell, so that variables in it still work. */
function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return word.includes("$") || !/["\\]/.test(word)
    ? `"${word.replace(/["\\`]/g, "\\$&")}"`
    : `'${word.replace(/'/g, "'\\''")}'`;
}
