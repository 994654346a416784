// How does the page talk to the gateway that served it?
//
// Routes, parameters and answers are typed from the gateway's OpenAPI description. A call returns a value or a `Problem`;
// only an abort throws.
import createClient from "openapi-fetch";

import { gatewayOf } from "../lib/gateway";
import type { paths } from "./schema.gen";
import { authorization, tokenStore, type TokenStore } from "./token";
import { answerOf, type Answer } from "./problem";
import type { Batch, Receipt, Scale, Status, Stop } from "./types";

export interface Submission {
  readonly files: readonly File[];
  /** Idempotency key: equal for every attempt with the same files, so that a retry never submits twice. */
  readonly key: string;
  readonly signal?: AbortSignal;
}

export interface Api {
  readonly tokens: TokenStore;
  readonly fetch: typeof fetch;
  /** Address of the gateway, without a slash at its end. */
  readonly gateway: string;
  status(): Promise<Answer<Status>>;
  submit(submission: Submission): Promise<Answer<Receipt>>;
  batch(id: string): Promise<Answer<Batch>>;
  stopPod(name: string, mode: Stop): Promise<Answer<unknown>>;
  /** Returns the last lines of the pod's log. */
  podLog(name: string): Promise<Answer<string>>;
  setScale(range: { min: number; max: number }): Promise<Answer<Scale>>;
  /** Returns the page that reports how the model was trained. */
  report(): Promise<Answer<Blob>>;
  /** Returns a generated sample image, for a person without one of their own. */
  sample(number: number): Promise<Answer<Blob>>;
}

/** Creates a client of the gateway that served this page. */
export function createApi(
  fetch: typeof globalThis.fetch = globalThis.fetch.bind(globalThis),
  tokens = tokenStore(),
  gateway = gatewayOf("live"),
): Api {
  const client = createClient<paths>({ baseUrl: gateway, fetch: (request) => fetch(request) });
  client.use({
    onRequest: ({ request }) => {
      for (const [name, value] of Object.entries(authorization(tokens))) request.headers.set(name, value);
      return request;
    },
  });

  return {
    tokens,
    fetch,
    gateway,
    status: () => answerOf(client.GET("/v1/status")),
    batch: (id) => answerOf(client.GET("/v1/batches/{id}", { params: { path: { id } } })),
    stopPod: (name, mode) =>
      answerOf(client.DELETE("/v1/pods/{name}", { params: { path: { name }, query: { mode } } })),
    podLog: (name) => answerOf(client.GET("/v1/pods/{name}/logs", { params: { path: { name } }, parseAs: "text" })),
    sample: (number) => answerOf(client.GET("/v1/samples/{number}", { params: { path: { number } }, parseAs: "blob" })),
    report: () => answerOf(client.GET("/v1/model/report", { parseAs: "blob" })),
    setScale: (body) => answerOf(client.PUT("/v1/scale", { body })),
    submit: ({ files, key, signal }) =>
      answerOf(
        client.POST("/v1/jobs", {
          params: { header: { "Idempotency-Key": key } },
          body: { images: [...files] },
          bodySerializer: formOf,
          ...(signal && { signal }),
        }),
      ),
  };
}

function formOf(body: { images: Blob[] }): FormData {
  const form = new FormData();
  for (const image of body.images) form.append("images", image);
  return form;
}
