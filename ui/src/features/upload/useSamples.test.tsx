import { act, renderHook } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { anApi, aFailedAnswer } from "../../test/fakes";
import { SAMPLE_COUNT, useSamples } from "./useSamples";

describe("samples", () => {
  it("are sent like chosen files, each under its own name", async () => {
    const added: string[] = [];
    const api = anApi({ sample: (number) => Promise.resolve({ ok: true, value: new Blob([String(number)]) }) });
    const { result } = renderHook(() =>
      useSamples(
        api,
        (files) => {
          added.push(...files.map(({ name }) => name));
        },
        true,
      ),
    );

    await act(async () => {
      result.current.send();
      await Promise.resolve();
    });

    expect(added).toHaveLength(SAMPLE_COUNT);
    expect(new Set(added).size).toBe(SAMPLE_COUNT);
    expect(result.current.busy).toBe(false);
  });

  it("that the service refuses are not sent, and the error says why until the service is back", async () => {
    const api = anApi({ sample: () => Promise.resolve(aFailedAnswer({ message: "There are no samples." })) });
    const add = () => {
      throw new Error("no file is expected");
    };
    const { result, rerender } = renderHook(({ live }) => useSamples(api, add, live), { initialProps: { live: true } });

    await act(async () => {
      result.current.send();
      await Promise.resolve();
    });

    expect(result.current.error).toBe("There are no samples.");
    rerender({ live: false });
    rerender({ live: true });
    expect(result.current.error).toBeNull();
  });
});
