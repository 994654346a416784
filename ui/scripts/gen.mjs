// How does the OpenAPI description become TypeScript?
//
// The types are generated before every build, check and test, and never committed: `openapi.json` is the only source.
import { readFile, writeFile } from "node:fs/promises";

import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const SOURCE = new URL("../openapi.json", import.meta.url);
const TARGET = new URL("../src/api/schema.gen.ts", import.meta.url);

const BLOB = ts.factory.createTypeReferenceNode(ts.factory.createIdentifier("Blob"));

// Bytes are a Blob in a browser.
const isBytes = (schema) => schema.format === "binary" || schema.contentMediaType === "application/octet-stream";

const types = await openapiTS(SOURCE, { transform: (schema) => (isBytes(schema) ? BLOB : undefined) });
const text = `// Generated from openapi.json by scripts/gen.mjs; do not edit.\n${astToString(types)}`;
const before = await readFile(TARGET, "utf8").catch(() => "");
if (text !== before) await writeFile(TARGET, text);
