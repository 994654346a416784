import { expect, it } from "vitest";

import { load } from "./load";

const DESCRIPTION = { info: { title: "kana", version: "1" }, paths: {} };
const answering = (response: Response) => load(() => Promise.resolve(response));

it("reads the description", async () => {
  expect(await answering(Response.json(DESCRIPTION))).toEqual({ ok: true, value: DESCRIPTION });
});

it("returns the problem of a refusal", async () => {
  const refused = Response.json({ detail: "the gateway is stopping" }, { status: 503 });

  expect(await answering(refused)).toMatchObject({ problem: { status: 503, message: "The gateway is stopping." } });
});

it("returns a problem where the answer is no description or there is none", async () => {
  const message = "Could not read the description.";

  expect(await answering(new Response("<html>"))).toMatchObject({ ok: false, problem: { message } });
  expect(await answering(Response.json({ info: {} }))).toMatchObject({ ok: false, problem: { message } });
  expect(await load(() => Promise.reject(new TypeError("network")))).toMatchObject({ ok: false, problem: { message } });
});
