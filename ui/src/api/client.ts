// How does the page talk to the gateway that served it?
//
// Routes, parameters and answers are typed from the gateway's OpenAPI description. A call returns a value or a `Problem`;
// only an abort throws.
import createClient from "openapi-fetch";

import { gatewayOf } from "../lib/gateway";
import { DRAWING_NAME } from "../lib/drawing";
import type { paths } from "./schema.gen";
import { accessStore, type AccessStore, type Scope } from "./access";
import { authorization, tokenStore, type TokenStore } from "./token";
import { answerOf, type Answer } from "./problem";
import type { Batch, DeadLetter, Job, Receipt, Run, Scale, Status, Stop } from "./types";

/** Time for which the service waits for the answer to a drawing: the next picture is sent only then. */
const CLASSIFY_WAIT = "2s";

/** File under the name that the service is given: its path, where it comes from a folder. */
export interface NamedFile {
  readonly name: string;
  readonly file: File;
  /** Bytes of the file, where they have been read already. */
  readonly content?: Blob;
}

export interface Submission {
  readonly files: readonly NamedFile[];
  /** Idempotency key: equal for every attempt with the same files, so that a retry never submits twice. */
  readonly key: string;
  /** Earlier batch that the files are added to; a new one without it. */
  readonly batch?: string;
  readonly signal?: AbortSignal;
}

export interface Api {
  readonly tokens: TokenStore;
  readonly access: AccessStore;
  readonly fetch: typeof fetch;
  /** Address of the gateway, without a slash at its end. */
  readonly gateway: string;
  status(): Promise<Answer<Status>>;
  submit(submission: Submission): Promise<Answer<Receipt>>;
  batch(id: string): Promise<Answer<Batch>>;
  /** Lists batches, newest first. */
  batches(): Promise<Answer<readonly Run[]>>;
  job(id: string): Promise<Answer<Job>>;
  /** Returns the picture that the model saw. */
  image(id: string): Promise<Answer<Blob>>;
  /** Cancels a job that has not started. */
  cancel(id: string): Promise<Answer<Job>>;
  /** Classifies one image, a drawing of this page; the answer is a job that may not have ended yet. */
  classify(image: Blob): Promise<Answer<Job>>;
  /** Lists the newest jobs of which every attempt failed. */
  deadLetters(): Promise<Answer<readonly DeadLetter[]>>;
  readonly replayDead: (id: string) => Promise<Answer<Job>>;
  readonly dropDead: (id: string) => Promise<Answer<unknown>>;
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
  const access = accessStore();
  const client = createClient<paths>({ baseUrl: gateway, fetch: (request) => fetch(request) });
  client.use({
    onRequest: ({ request }) => {
      for (const [name, value] of Object.entries(authorization(tokens))) request.headers.set(name, value);
      return request;
    },
  });

  const scoped = async <T>(scope: Scope, pending: Promise<Answer<T>>): Promise<Answer<T>> => {
    const answer = await pending;
    if (!answer.ok && answer.problem.status === 403) access.refuse(scope, answer.problem.message);
    return answer;
  };

  return {
    tokens,
    access,
    fetch,
    gateway,
    status: () => answerOf(client.GET("/v1/status")),
    batch: (id) => answerOf(client.GET("/v1/batches/{id}", { params: { path: { id } } })),
    batches: () => answerOf(client.GET("/v1/batches")),
    image: (id) => answerOf(client.GET("/v1/jobs/{id}/image", { params: { path: { id } }, parseAs: "blob" })),
    job: (id) => answerOf(client.GET("/v1/jobs/{id}", { params: { path: { id } } })),
    classify: (image) =>
      scoped(
        "submit",
        answerOf(
          client.POST("/v1/classify", {
            params: { query: { filename: DRAWING_NAME, wait: CLASSIFY_WAIT } },
            headers: { "content-type": image.type },
            body: image,
            bodySerializer: () => image,
          }),
        ),
      ),
    cancel: (id) => scoped("submit", answerOf(client.DELETE("/v1/jobs/{id}", { params: { path: { id } } }))),
    sample: (number) => answerOf(client.GET("/v1/samples/{number}", { params: { path: { number } }, parseAs: "blob" })),
    report: () => answerOf(client.GET("/v1/model/report", { parseAs: "blob" })),
    deadLetters: () => answerOf(client.GET("/v1/dead")),
    replayDead: (id) => scoped("operate", answerOf(client.POST("/v1/dead/{id}/replay", { params: { path: { id } } }))),
    dropDead: (id) => scoped("operate", answerOf(client.DELETE("/v1/dead/{id}", { params: { path: { id } } }))),
    stopPod: (name, mode) =>
      scoped("operate", answerOf(client.DELETE("/v1/pods/{name}", { params: { path: { name }, query: { mode } } }))),
    podLog: (name) =>
      scoped("operate", answerOf(client.GET("/v1/pods/{name}/logs", { params: { path: { name } }, parseAs: "text" }))),
    setScale: (body) => scoped("operate", answerOf(client.PUT("/v1/scale", { body }))),
    submit: ({ files, key, batch, signal }) =>
      scoped(
        "submit",
        answerOf(
          client.POST("/v1/jobs", {
            params: { header: { "Idempotency-Key": key }, query: batch === undefined ? {} : { batch } },
            body: { images: [] },
            bodySerializer: () => formOf(files),
            ...(signal && { signal }),
          }),
        ),
      ),
  };
}

function formOf(files: readonly NamedFile[]): FormData {
  const form = new FormData();
  for (const { name, file, content } of files) form.append("images", content ?? file, name);
  return form;
}
