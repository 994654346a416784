import { describe, expect, it } from "vitest";

import { curlOf } from "./curl";
import type { Operation, Schemas } from "./openapi";

const LOCAL = "http://127.0.0.1:8080";
const SCHEMAS: Schemas = {
  Upload: { properties: { images: { type: "array", items: { type: "string", format: "binary" } } } },
  Range: {
    type: "object",
    required: ["min", "max"],
    properties: { min: { type: "integer", minimum: 0 }, max: { type: "integer", minimum: 0 } },
  },
};

function curl(method: string, path: string, operation: Operation = {}, gateway = LOCAL): string {
  return curlOf({ id: "id", method, path, operation }, { gateway, schemas: SCHEMAS });
}

describe("the curl command", () => {
  it("of a plain GET is the address alone", () => {
    expect(curl("GET", "/v1/status")).toBe("curl http://127.0.0.1:8080/v1/status");
  });

  it("has a shell variable for each value that only the person knows", () => {
    const parameters = [{ name: "id", in: "path", required: true, schema: { type: "string" } }] as const;

    expect(curl("DELETE", "/v1/jobs/{id}", { parameters })).toBe('curl -X DELETE "http://127.0.0.1:8080/v1/jobs/$ID"');
  });

  it("has every required parameter and those with an example, and no others", () => {
    const parameters = [
      { name: "number", in: "path", required: true, schema: { type: "integer", minimum: 0 } },
      { name: "wait", in: "query", example: "1m 30s" },
      { name: "limit", in: "query", schema: { type: "integer" } },
      { name: "Trace-Id", in: "header", required: true },
    ] as const;

    expect(curl("GET", "/v1/samples/{number}", { parameters })).toBe(
      'curl -H "Trace-Id: $TRACE_ID" "http://127.0.0.1:8080/v1/samples/1?wait=1m%2030s"',
    );
  });

  it("sends a token to any address but a loopback one", () => {
    expect(curl("GET", "/v1/pods", {}, "https://kana.example")).toBe(
      'curl -H "Authorization: Bearer $KANA_TOKEN" https://kana.example/v1/pods',
    );
    for (const host of ["localhost:1", "kana.localhost", "127.9.9.9", "[::1]:8080"]) {
      expect(curl("GET", "/", {}, `http://${host}`)).not.toContain("Authorization");
    }
  });

  it("sends files, JSON or bytes, as the operation asks", () => {
    const body = (type: string, schema: object): Operation => ({ requestBody: { content: { [type]: { schema } } } });

    expect(curl("POST", "/v1/jobs", body("multipart/form-data", { $ref: "#/components/schemas/Upload" }))).toBe(
      `curl -F images=@image.png ${LOCAL}/v1/jobs`,
    );
    expect(curl("PUT", "/v1/scale", body("application/json", { $ref: "#/components/schemas/Range" }))).toBe(
      `curl -X PUT -H "Content-Type: application/json" -d '{"min":1,"max":1}' ${LOCAL}/v1/scale`,
    );
    expect(curl("POST", "/v1/classify", body("image/*", { type: "string", format: "binary" }))).toBe(
      `curl -H "Content-Type: image/png" --data-binary @image.png ${LOCAL}/v1/classify`,
    );
    expect(curl("POST", "/v1/dead/x/replay")).toBe(`curl -X POST ${LOCAL}/v1/dead/x/replay`);
  });

  it("shows a stream at once and writes an image into a file", () => {
    const answers = (type: string): Operation => ({ responses: { "200": { content: { [type]: {} } } } });

    expect(curl("GET", "/v1/events", answers("text/event-stream"))).toBe(`curl -N ${LOCAL}/v1/events`);
    expect(curl("GET", "/v1/samples/1", answers("image/png"))).toBe(`curl -o image.png ${LOCAL}/v1/samples/1`);
  });
});
