import { describe, expect, it } from "vitest";

import { createApi } from "./client";
import { tokenStore } from "./token";
import { isPassing } from "./trouble";

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
  it("sends every file as a part named images, under the key that it is given", async () => {
    const { api, requests } = apiThat(() => Response.json({ batch: "b", jobs: [], rejected: [] }, { status: 202 }));
    const files = [new File(["x"], "お.png"), new File(["y"], "b.png")];

    const answer = await api.submit({ files, key: "k1" });

    const [request] = requests;
    const parts = (await request?.formData())?.getAll("images") as File[] | undefined;
    expect(request?.headers.get("idempotency-key")).toBe("k1");
    expect(parts?.map(({ name }) => name)).toEqual(["お.png", "b.png"]);
    expect(answer).toEqual({ ok: true, value: { batch: "b", jobs: [], rejected: [] } });
  });

  it("asks for the kind of end that a pod is to have", async () => {
    const { api, requests } = apiThat(() => new Response(null, { status: 202 }));

    const answer = await api.stopPod("kana-worker-1", "kill");

    expect([requests[0]?.method, requests[0]?.url]).toEqual(["DELETE", `${ORIGIN}/v1/pods/kana-worker-1?mode=kill`]);
    expect(answer.ok).toBe(true);
  });

  it("presents the token once there is one", async () => {
    const { api, tokens, requests } = apiThat(() => problem(401, "a token is needed"));

    await api.status();
    tokens.set("secret");
    await api.status();

    expect(requests.map(({ headers }) => headers.get("authorization"))).toEqual([null, "Bearer secret"]);
  });

  it("tells a refusal in the service's own words, with the wait that it asks for", async () => {
    const { api } = apiThat(() => problem(429, "the queue is full at 10 jobs", { "retry-after": "3" }));

    const answer = await api.submit({ files: [], key: "k" });

    expect(answer).toMatchObject({
      ok: false,
      trouble: { status: 429, message: "The queue is full at 10 jobs.", retryAfter: 3_000 },
    });
    expect(!answer.ok && isPassing(answer.trouble)).toBe(true);
  });

  it("tells a refusal that is no problem document too", async () => {
    const { api } = apiThat(() => new Response("<html>Bad gateway</html>", { status: 502 }));

    expect(await api.setScale({ min: 1, max: 2 })).toMatchObject({
      trouble: { status: 502, message: "The service answered 502.", retryAfter: null },
    });
  });

  it("tells that nobody answers", async () => {
    const { api } = apiThat(() => Promise.reject(new TypeError("network")));

    expect(await api.batch("b")).toMatchObject({ ok: false, trouble: { status: 0 } });
  });
});
