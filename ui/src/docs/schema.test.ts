import { describe, expect, it } from "vitest";

import type { Schema, Schemas } from "./openapi";
import { exampleOf, fieldsOf, limitsOf, resolve, typeOf } from "./schema";

const to = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const SCHEMAS: Schemas = {
  Job: { type: "object", required: ["id"], properties: { id: to("Id"), label: { type: "string" } } },
  Id: { type: "string", format: "uuid" },
  Alias: to("Job"),
  Here: to("There"),
  There: to("Here"),
};

describe("a reference", () => {
  it("is followed until a schema is written out", () => {
    expect(resolve(to("Alias"), SCHEMAS)).toBe(SCHEMAS.Job);
  });

  it("that leads nowhere, in a circle or into another document is null", () => {
    expect([to("Nothing"), to("Here"), { $ref: "other.json" }].map((schema) => resolve(schema, SCHEMAS))).toEqual([
      null,
      null,
      null,
    ]);
  });
});

describe("a type", () => {
  const textOf = (schema: Schema) =>
    typeOf(schema)
      .map(({ text }) => text)
      .join("");

  it("names the schema that it refers to", () => {
    expect(typeOf({ type: "array", items: to("Job") })).toEqual([
      { text: "array of " },
      { text: "Job", schema: "Job" },
    ]);
  });

  it("is written in words", () => {
    expect(textOf({ type: "integer", format: "int32" })).toBe("integer (int32)");
    expect(textOf({ type: ["string", "null"] })).toBe("string or null");
    expect(textOf({ type: "object", additionalProperties: { type: "string" } })).toBe("map of string");
    expect(textOf({ oneOf: [to("Job"), { type: "null" }] })).toBe("Job or null");
    expect(textOf({ oneOf: [{ type: "object", properties: {} }] })).toBe("object");
    expect(textOf({})).toBe("any value");
  });
});

it("writes the limits on a value", () => {
  expect(limitsOf({ minimum: 1, maximum: 1000, default: 100 })).toEqual([
    "at least 1",
    "at most 1000",
    "default `100`",
  ]);
  expect(limitsOf({ enum: ["delete", "kill"] })).toEqual(["one of `delete`, `kill`"]);
  expect(limitsOf({ enum: ["glyph"] })).toEqual(["always `glyph`"]);
});

it("lists the fields of an object, of items and of every variant", () => {
  const object = { properties: { a: {} } };

  expect(fieldsOf({ type: "array", items: object })).toEqual([object]);
  expect(fieldsOf({ oneOf: [object, object, { type: "null" }] })).toEqual([object, object]);
  expect(fieldsOf({ type: "string" })).toEqual([]);
});

it("makes up an example of the required fields, within their limits", () => {
  const schema: Schema = {
    type: "object",
    required: ["max", "mode", "name", "job"],
    properties: {
      max: { type: "integer", minimum: 0 },
      mode: { enum: ["kill"] },
      name: { type: "string", example: "o.png" },
      job: to("Job"),
      optional: { type: "string" },
    },
  };

  expect(exampleOf(schema, SCHEMAS)).toEqual({ max: 1, mode: "kill", name: "o.png", job: { id: "text" } });
});
