import { describe, expect, it } from "vitest";

import { createApi } from "./client";
import { tokenStore } from "./token";
import { isTransient } from "./problem";

const ORIGIN = "http://kana.test";

function apiThat(answers: (request: Request) => Response | Promise<Response>) {
  const requests: Request[] = [];
  const tokens = tokenStore(null);
  const fetch: typeof globalThis.fetch = (input, init) => {
    const request = new Request(input, init);
    requests.push(request.clone());
    return Promise.resolve(answers(request));
  };
  return { api: createApi(fetch, tokens, ORIGIN), tokens, requests };
}

function problem(status: number, detail: string, headers: Record<string, string> = {}): Response {
  const body = JSON.stringify({ type: "about:blank", title: "Nope", status, detail });
  return new Response(body, { status, headers: { "content-type": "application/problem+json", ...headers } });
}

describe("the client", () => {
  it("sends every file as a part named images, with the given idempotency key", async () => {
    const { api, requests } = apiThat(() => Response.json({ batch: "b", jobs: [], rejected: [] }, { status: 202 }));
    const files = [
      { name: "お.png", file: new File(["x"], "x.png") },
      { name: "folder/b.png", file: new File(["y"], "b.png") },
    ];

    const answer = await api.submit({ files, key: "k1" });

    const [request] = requests;
    const parts = (await request?.formData())?.getAll("images") as File[] | undefined;
    expect(request?.headers.get("idempotency-key")).toBe("k1");
    expect(parts?.map(({ name }) => name)).toEqual(["お.png", "folder/b.png"]);
    expect(answer).toEqual({ ok: true, value: { batch: "b", jobs: [], rejected: [] } });
  });

  it("sends the mode in which a pod is to be stopped", async () => {
    const { api, requests } = apiThat(() => new Response(null, { status: 202 }));

    const answer = await api.stopPod("kana-worker-1", "kill");

    expect([requests[0]?.method, requests[0]?.url]).toEqual(["DELETE", `${ORIGIN}/v1/pods/kana-worker-1?mode=kill`]);
    expect(answer.ok).toBe(true);
  });

  it("sends the token once there is one", async () => {
    const { api, tokens, requests } = apiThat(() => problem(401, "a token is needed"));

    await api.status();
    tokens.set("secret");
    await api.status();

    expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual([null, "Bearer secret"]);
  });

  it("returns the detail of a problem document and the wait of Retry-After", async () => {
    const { api } = apiThat(() => problem(429, "the queue is full at 10 jobs", { "retry-after": "3" }));

    const answer = await api.submit({ files: [], key: "k" });

    expect(answer).toMatchObject({
      ok: false,
      problem: { status: 429, message: "The queue is full at 10 jobs.", retryAfter: 3_000 },
    });
    expect(!answer.ok && isTransient(answer.problem)).toBe(true);
  });

  it("returns a problem for an error that is no problem document", async () => {
    const { api } = apiThat(() => new Response("<html>Bad gateway</html>", { status: 502 }));

    expect(await api.setScale({ min: 1, max: 2 })).toMatchObject({
      problem: { status: 502, message: "The service answered 502.", retryAfter: null },
    });
  });

  it("returns a problem with status 0 where the request fails", async () => {
    const { api } = apiThat(() => Promise.reject(new TypeError("network")));

    expect(await api.batch("b")).toMatchObject({ ok: false, problem: { status: 0 } });
  });
});
