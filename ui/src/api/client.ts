// How does the page talk to the gateway that served it?
//
// Routes, parameters and answers are typed from the server's own description. Nothing here throws but an abort:
// each call answers with a value or with a `Trouble`.
import createClient from "openapi-fetch";

import type { paths } from "./schema.gen";
import { authorization, tokenStore, type TokenStore } from "./token";
import { answerOf, type Answer } from "./trouble";
import type { Batch, Receipt, Scale, Status, Stop } from "./types";

export interface Submission {
  readonly files: readonly File[];
  /** The same for every try of the same files, so that a retry never submits twice. */
  readonly key: string;
  readonly signal?: AbortSignal;
}

export interface Api {
  readonly tokens: TokenStore;
  readonly fetch: typeof fetch;
  status(): Promise<Answer<Status>>;
  submit(submission: Submission): Promise<Answer<Receipt>>;
  batch(id: string): Promise<Answer<Batch>>;
  stopPod(name: string, mode: Stop): Promise<Answer<unknown>>;
  /** The last lines that it wrote. */
  podLog(name: string): Promise<Answer<string>>;
  setScale(range: { min: number; max: number }): Promise<Answer<Scale>>;
  /** A brush stroke of kana's own, for whoever has no picture at hand. */
  sample(number: number): Promise<Answer<Blob>>;
}

/** The gateway at this page's own origin, reached through `fetch`. */
export function createApi(
  fetch: typeof globalThis.fetch = globalThis.fetch.bind(globalThis),
  tokens = tokenStore(),
  origin = globalThis.location.origin,
): Api {
  const client = createClient<paths>({ baseUrl: origin, fetch: (request) => fetch(request) });
  client.use({
    onRequest: ({ request }) => {
      for (const [name, value] of Object.entries(authorization(tokens))) request.headers.set(name, value);
      return request;
    },
  });

  return {
    tokens,
    fetch,
    status: () => answerOf(client.GET("/v1/status")),
    batch: (id) => answerOf(client.GET("/v1/batches/{id}", { params: { path: { id } } })),
    stopPod: (name, mode) =>
      answerOf(client.DELETE("/v1/pods/{name}", { params: { path: { name }, query: { mode } } })),
    podLog: (name) => answerOf(client.GET("/v1/pods/{name}/logs", { params: { path: { name } }, parseAs: "text" })),
    sample: (number) => answerOf(client.GET("/v1/samples/{number}", { params: { path: { number } }, parseAs: "blob" })),
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
