import { expect, it } from "vitest";

import type { Answer } from "../../api/problem";
import type { Job } from "../../api/types";
import { aFailedAnswer, aJob, anApi } from "../../test/fakes";
import { cancelAll } from "./cancel";

it("cancels what has not started, and counts what had started or could not be cancelled", async () => {
  const answers = new Map<string, Answer<Job>>([
    ["waits", { ok: true, value: aJob({ id: "waits", state: "failed", error: "cancelled" }) }],
    ["runs", aFailedAnswer({ status: 409 })],
    ["expired", aFailedAnswer({ status: 404 })],
    ["refused", aFailedAnswer({ status: 403 })],
  ]);
  const api = anApi({ cancel: (id) => Promise.resolve(answers.get(id) ?? aFailedAnswer()) });

  expect(await cancelAll(api, [...answers.keys()])).toEqual({ cancelled: 1, late: 2, failed: 1 });
});
