import { renderHook, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";

import { aBatch, aDoneJob, aJob, anApi, aRun } from "../test/fakes";
import type { Action } from "./state";
import { lacksAttempts, useLost } from "./useLost";

const LOST = { worker: "a", began: 0, ended: 0, cause: "stopped" } as const;

it("an attempt is missing where an earlier one was made and is not known", () => {
  expect(lacksAttempts(aDoneJob())).toBe(false);
  expect(lacksAttempts(aDoneJob({ attempts: 2 }))).toBe(true);
  expect(lacksAttempts(aDoneJob({ attempts: 2, lost: [LOST] }))).toBe(false);
  expect(lacksAttempts(aJob({ attempts: 1 }))).toBe(true);
});

it("reads the batch of a redelivered image once, and again after another redelivery", async () => {
  const read: string[] = [];
  const actions: Action[] = [];
  const api = anApi({
    batch: (id) => {
      read.push(id);
      return Promise.resolve({ ok: true, value: aBatch([], { batch: id }) });
    },
  });
  const dispatch = (action: Action) => void actions.push(action);
  const jobsAt = (attempts: number) => new Map([["job-1", aDoneJob({ attempts })]]);
  const run = aRun();
  const { rerender } = renderHook(
    ({ jobs }) => {
      useLost(api, run, jobs, dispatch);
    },
    { initialProps: { jobs: jobsAt(2) } },
  );

  await waitFor(() => {
    expect(actions).toHaveLength(1);
  });
  rerender({ jobs: jobsAt(2) });
  rerender({ jobs: jobsAt(3) });
  await waitFor(() => {
    expect(actions).toHaveLength(2);
  });

  expect(read).toEqual(["batch-1", "batch-1"]);
});
