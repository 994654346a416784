import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { aFailedAnswer, anApi } from "../../test/fakes";
import type { Uploads } from "../upload/useUploads";
import { RUN_MAX, useStream } from "./useStream";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const after = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

function aStream(live = true, sample = () => Promise.resolve({ ok: true as const, value: new Blob(["x"]) })) {
  const sent: { name: string; run: string | undefined }[] = [];
  const requests: number[] = [];
  const uploads: Uploads = {
    pending: [],
    add: (files, run) => sent.push(...files.map(({ name }) => ({ name, run }))),
    retry: () => undefined,
    dismiss: () => undefined,
  };
  const api = anApi({
    sample: (number) => {
      requests.push(number);
      return sample();
    },
  });
  return { sent, requests, ...renderHook(() => useStream(api, uploads, live)) };
}

describe("samples that keep coming", () => {
  it("come at the rate that was chosen, in one run, until they are stopped", async () => {
    const { sent, result } = aStream();
    act(() => {
      result.current.start(20);
    });
    await after(2_000);
    expect(sent.length).toBeGreaterThanOrEqual(38);
    expect(sent.length).toBeLessThanOrEqual(40);
    expect(new Set(sent.map(({ run }) => run)).size).toBe(1);
    expect(sent[1]?.name).toBe("sample_1.png");

    act(() => {
      result.current.stop();
    });
    const before = sent.length;
    await after(2_000);
    expect(sent).toHaveLength(before);
  });

  it("begin a new run when one is long, and request no sample twice", async () => {
    const { sent, requests, result } = aStream();
    act(() => {
      result.current.start(100);
    });
    await after(25_000);

    expect(sent.length).toBeGreaterThan(2 * RUN_MAX);
    expect(new Set(sent.map(({ run }) => run)).size).toBe(3);
    expect(requests).toHaveLength(new Set(requests).size);
  });

  it("are not sent while the service is away", async () => {
    const { sent, result } = aStream(false);
    act(() => {
      result.current.start(20);
    });
    await after(2_000);

    expect(sent).toEqual([]);
  });

  it("stop with the reason when the service has none", async () => {
    const { sent, result } = aStream(true, () => Promise.resolve(aFailedAnswer({ message: "No samples." })) as never);
    act(() => {
      result.current.start(20);
    });
    await after(1_000);

    expect([result.current.rate, result.current.error]).toEqual([null, "No samples."]);
    expect(sent).toEqual([]);
  });
});
