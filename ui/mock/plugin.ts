// How does Vite serve the mock of kana at the origin of the page?
//
// `npm run dev -- --mode mock` during development, `npm run mock` for the built page under the policy that the gateway sends.
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connect, Plugin } from "vite";

import { pictures } from "../e2e/pictures.ts";
import { createWorld } from "./world.ts";

/** Content security policy that the page must work under. */
const POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'";
/** Copy of the description that the gateway serves. */
const DESCRIPTION = new URL("../openapi.json", import.meta.url);
/** First bytes of the images that are accepted. */
const MAGIC = /^(\x89PNG|\xff\xd8\xff|GIF8|BM|RIFF|P[2356])/;
/** Picture that the model saw, whichever image was sent. */
const PICTURE = pictures(1, "seen")[0]?.buffer;
/** Most waiting images; more are refused, so that the retries of the page can be seen. */
const WAITING_MAX = 300;

export function mock(): Plugin {
  return {
    name: "kana-mock",
    configureServer: ({ middlewares }) => void middlewares.use(handler()),
    configurePreviewServer: ({ middlewares }) => {
      middlewares.use((_, response, next) => {
        response.setHeader("content-security-policy", POLICY);
        next();
      });
      middlewares.use(handler());
    },
  };
}

function handler(): Connect.NextHandleFunction {
  const readers = new Set<ServerResponse>();
  let lastId = 0;
  const world = createWorld((event, data) => {
    lastId += 1;
    for (const reader of readers) write(reader, event, data, lastId);
  });
  const problem = (response: ServerResponse, status: number, detail: string, more: object = {}) => {
    response.setHeader("content-type", "application/problem+json");
    if (status === 429) response.setHeader("retry-after", "3");
    response.statusCode = status;
    response.end(JSON.stringify({ type: "about:blank", title: "Error", status, detail, ...more }));
  };
  const json = (response: ServerResponse, value: unknown, status = 200) => {
    response.setHeader("content-type", "application/json");
    response.statusCode = status;
    response.end(JSON.stringify(value));
  };

  const follow = (response: ServerResponse) => {
    response.setHeader("content-type", "text/event-stream");
    response.write("retry: 500\n\n");
    for (const pod of world.pods.values()) write(response, "pod", pod, lastId);
    write(response, "scale", world.scale, lastId);
    write(response, "queue", world.queue(), lastId);
    readers.add(response);
    response.on("close", () => readers.delete(response));
  };

  const submit = (response: ServerResponse, body: string, asked: URLSearchParams) => {
    const parts = [...body.matchAll(/filename="([^"]*)"[^]*?\r\n\r\n([^]{0,8})/g)];
    const name = (text = "") => Buffer.from(text, "latin1").toString("utf8");
    const good = parts.filter(([, , start = ""]) => MAGIC.test(start)).map(([, filename]) => name(filename));
    const rejected = parts
      .filter(([, , start = ""]) => !MAGIC.test(start))
      .map(([, filename]) => ({ filename: name(filename), error: "is not an image that kana can read" }));
    if (world.queue().waiting > WAITING_MAX) problem(response, 429, `the queue is full at ${WAITING_MAX} jobs`);
    else if (good.length === 0) problem(response, 422, "no file was an image", { rejected });
    else json(response, { ...world.submit(good, asked.get("batch"), asked.get("name")), rejected }, 202);
  };

  return (request, response, next) => {
    const url = new URL(request.url ?? "/", "http://mock");
    const route = `${request.method ?? ""} ${url.pathname}`;
    const [, pod = ""] = /^DELETE \/v1\/pods\/(.+)$/.exec(route) ?? [];
    const [, log = ""] = /^GET \/v1\/pods\/(.+)\/logs$/.exec(route) ?? [];
    const [, batch = ""] = /^GET \/v1\/batches\/(.+)$/.exec(route) ?? [];
    const [, image = ""] = /^GET \/v1\/jobs\/(.+)\/image$/.exec(route) ?? [];
    const [, job = ""] = /^GET \/v1\/jobs\/([^/]+)$/.exec(route) ?? [];
    const [, replayed = ""] = /^POST \/v1\/dead\/(.+)\/replay$/.exec(route) ?? [];
    const [, dropped = ""] = /^DELETE \/v1\/dead\/(.+)$/.exec(route) ?? [];
    if (route === "GET /v1/events") follow(response);
    else if (route === "GET /openapi.json") void readFile(DESCRIPTION).then((text) => response.end(text));
    else if (route === "GET /v1/status") json(response, world.status());
    else if (route === "GET /v1/batches") {
      const all = world.batches();
      const before = all.findIndex(({ batch }) => batch === url.searchParams.get("before"));
      json(response, all.slice(before + 1, before + 1 + Number(url.searchParams.get("limit") ?? 20)));
    } else if (route === "GET /v1/pods") json(response, [...world.pods.values()]);
    else if (route === "GET /v1/dead") json(response, [...world.dead.values()].reverse());
    else if (replayed !== "") {
      const job = world.replay(replayed);
      if (job) json(response, job, 202);
      else problem(response, 404, `there is no dead letter ${replayed}`);
    } else if (dropped !== "") {
      response.statusCode = world.dead.delete(dropped) ? 204 : 404;
      response.end();
    } else if (log !== "") response.end(`2026-01-02T03:04:05Z INFO ${log} is ready\n`);
    else if (route === "POST /v1/jobs")
      void read(request).then((body) => {
        submit(response, body, url.searchParams);
      });
    else if (route === "PUT /v1/scale") {
      void read(request).then((body) => {
        const { min, max } = JSON.parse(body) as { min: number; max: number };
        if (max > 16) problem(response, 422, `max must be at most 16, not ${max}`);
        else json(response, world.setRange(min, max));
      });
    } else if (pod !== "") {
      const known = world.stop(pod, url.searchParams.get("mode") ?? "delete");
      if (known) json(response, {}, 202);
      else problem(response, 404, `there is no pod "${pod}" of this service`);
    } else if (batch !== "") {
      const jobs = [...world.jobs.values()].filter((job) => job.batch === batch);
      if (jobs.length > 0) json(response, { batch, jobs });
      else problem(response, 404, `batch ${batch} is unknown or has expired`);
    } else if (image !== "") {
      if (world.jobs.has(image)) response.end(PICTURE);
      else problem(response, 404, `there is no picture of job ${image}`);
    } else if (job !== "") {
      const known = world.jobs.get(job);
      if (known) json(response, known);
      else problem(response, 404, `job ${job} is unknown or has expired`);
    } else next();
  };
}

function write(response: ServerResponse, event: string, data: unknown, id: number): void {
  response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("latin1");
}
