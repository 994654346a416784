import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Answer } from "../../api/problem";
import type { Job } from "../../api/types";
import { aDoneJob } from "../../test/fakes";
import { createAsker, INTERVAL } from "./asker";

beforeEach(() => {
  vi.useFakeTimers({ now: 10_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Creates an asker whose requests the test answers itself, in any order. */
function anAsker() {
  const requests: ((label: string) => Promise<void>)[] = [];
  const labels: (string | undefined)[] = [];
  const asker = createAsker({
    picture: () => Promise.resolve(new Blob()),
    ask: () =>
      new Promise<Answer<Job>>((resolve) => {
        requests.push(async (label) => {
          resolve({ ok: true, value: aDoneJob({ label }) });
          await vi.advanceTimersByTimeAsync(0);
        });
      }),
    onReply: ({ answer }) => labels.push(answer.ok ? answer.value.label : undefined),
  });
  return { asker, requests, labels };
}

const after = (ms: number) => vi.advanceTimersByTimeAsync(ms);

it("asks at once, and then once in an interval however often the drawing changes", async () => {
  const { asker, requests } = anAsker();
  for (let ms = 10; ms < 2 * INTERVAL; ms += 10) {
    asker.drawing();
    await after(10);
    await requests.at(-1)?.("お");
  }

  expect(requests).toHaveLength(2);
});

it("makes one request at a time, and asks again when its answer comes", async () => {
  const { asker, requests, labels } = anAsker();
  asker.drawing();
  await after(0);
  asker.drawing();
  await after(5 * INTERVAL);
  expect(requests).toHaveLength(1);

  await requests[0]?.("older");
  expect(requests).toHaveLength(2);
  await requests[1]?.("newer");
  expect(labels).toEqual(["older", "newer"]);
});

it("asks at the end of a stroke without waiting for the interval", async () => {
  const { asker, requests } = anAsker();
  asker.drawing();
  await after(0);
  await requests[0]?.("お");
  asker.drawn();
  await after(0);

  expect(requests).toHaveLength(2);
});

it("drops the answer about a drawing that was cleared", async () => {
  const { asker, requests, labels } = anAsker();
  asker.drawing();
  await after(0);
  asker.drawing();
  asker.clear();
  await requests[0]?.("cleared");
  await after(5 * INTERVAL);

  expect(labels).toEqual([]);
  expect(requests).toHaveLength(1);
});
