import { describe, expect, it } from "vitest";

import { aStream } from "../test/fakes";
import { follow, WAIT_MAX, type Connection } from "./stream";

interface Followed {
  readonly requests: Headers[];
  readonly data: string[];
  readonly connections: Connection[];
  readonly waits: number[];
}

/** Follows a server that answers each connection with the next of `answers`, until they run out. */
async function followed(answers: (Response | Error)[], headers: Record<string, string> = {}): Promise<Followed> {
  const abort = new AbortController();
  const seen: Followed = { requests: [], data: [], connections: [], waits: [] };
  await follow({
    url: "/v1/events",
    fetch: (_, init) => {
      seen.requests.push(new Headers(init?.headers));
      const answer = answers.shift() ?? new Error("no more");
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    headers: () => headers,
    onMessages: (messages) => seen.data.push(...messages.map(({ data }) => data)),
    onConnection: (connection) => seen.connections.push(connection),
    signal: abort.signal,
    sleep: (ms) => {
      seen.waits.push(ms);
      if (answers.length === 0) abort.abort();
      return Promise.resolve();
    },
  });
  return seen;
}

describe("the event stream", () => {
  it("asks for missed events after the connection broke", async () => {
    const { requests, data } = await followed([
      aStream(["id: 5\nevent: pod\ndata: a\n\n"]),
      new TypeError("network"),
      aStream(["id: 6\ndata: b\n\n"]),
    ]);

    expect(data).toEqual(["a", "b"]);
    expect(requests.map((headers) => headers.get("last-event-id"))).toEqual([null, "5", "5"]);
  });

  it("sends the present token at each connection", async () => {
    const { requests } = await followed([aStream([])], { authorization: "Bearer secret" });

    expect(requests[0]?.get("authorization")).toBe("Bearer secret");
  });

  it("waits longer after every failure, up to a limit, and less again after a success", async () => {
    const broken = () => new TypeError("network");
    const { waits } = await followed([
      ...Array.from({ length: 9 }, broken),
      aStream(["retry: 1000\ndata: a\n\n"]),
      broken(),
    ]);

    expect(Math.max(...waits)).toBeLessThanOrEqual(WAIT_MAX);
    expect(waits[8]).toBeGreaterThanOrEqual(WAIT_MAX / 2);
    expect(waits[9]).toBeLessThanOrEqual(1000);
  });

  it("waits before it reconnects when the service refuses another stream", async () => {
    const { connections, waits } = await followed([new Response(null, { status: 503 })]);

    expect(connections).toEqual(["connecting", "waiting"]);
    expect(waits).toHaveLength(1);
  });

  it("stops where the service asks for a token", async () => {
    const { connections, waits } = await followed([new Response(null, { status: 401 })]);

    expect(connections).toEqual(["connecting", "unauthorised"]);
    expect(waits).toEqual([]);
  });
});
