import { act, renderHook } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { anApi, trouble } from "../../test/fakes";
import { SAMPLE_COUNT, useSamples } from "./useSamples";

describe("samples", () => {
  it("are handed on like chosen files, each under its own name", async () => {
    const added: string[] = [];
    const api = anApi({ sample: (number) => Promise.resolve({ ok: true, value: new Blob([String(number)]) }) });
    const { result } = renderHook(() =>
      useSamples(api, (files) => {
        added.push(...files.map((file) => file.name));
      }),
    );

    await act(async () => {
      result.current.send();
      await Promise.resolve();
    });

    expect(added).toHaveLength(SAMPLE_COUNT);
    expect(new Set(added).size).toBe(SAMPLE_COUNT);
    expect(result.current.busy).toBe(false);
  });

  it("that the service refuses are not handed on, and it says why", async () => {
    const api = anApi({ sample: () => Promise.resolve(trouble({ message: "There are no samples." })) });
    const { result } = renderHook(() =>
      useSamples(api, () => {
        throw new Error("nothing to hand on");
      }),
    );

    await act(async () => {
      result.current.send();
      await Promise.resolve();
    });

    expect(result.current.trouble).toBe("There are no samples.");
  });
});
