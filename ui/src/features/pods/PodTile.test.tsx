import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Answer } from "../../api/problem";
import { aPod, anApi, aFailedAnswer } from "../../test/fakes";
import { PodTile } from "./PodTile";

function tile(
  answer: Answer<unknown>,
  differences: Parameters<typeof aPod>[0] = {},
  onLog: () => void = () => undefined,
) {
  const asked: [string, string][] = [];
  const api = anApi({
    stopPod: (name, mode) => {
      asked.push([name, mode]);
      return Promise.resolve(answer);
    },
  });
  render(<PodTile pod={aPod(differences)} now={13_000} api={api} onLog={onLog} />);
  return asked;
}

const DONE: Answer<unknown> = { ok: true, value: null };

describe("a pod's tile", () => {
  it("shows its state, age and counts, and has its full name as its accessible name", () => {
    tile(DONE);

    const article = screen.getByRole("article", { name: "Pod kana-worker-x8k2p, ready" });
    expect(article.dataset.phase).toBe("ready");
    expect(article.textContent).toContain("12 s");
    expect(article.textContent).toContain("in flight3");
  });

  it("says why its pod is not ready", () => {
    tile(DONE, { phase: "starting", reason: "CrashLoopBackOff; last ended as OOMKilled, exit code 137" });

    expect(screen.getByRole("article").textContent).toContain("ended as OOMKilled");
  });

  it("kills its pod once, however often it is clicked", async () => {
    const asked = tile(DONE);
    const kill = screen.getByRole<HTMLButtonElement>("button", { name: "Kill kana-worker-x8k2p" });

    fireEvent.click(kill);
    fireEvent.click(kill);

    await waitFor(() => {
      expect(kill.textContent).toBe("Killing …");
    });
    expect(kill.disabled).toBe(true);
    expect(asked).toEqual([["kana-worker-x8k2p", "kill"]]);
  });

  it("drains its pod with the mode delete", async () => {
    const asked = tile(DONE);

    fireEvent.click(screen.getByRole("button", { name: "Drain kana-worker-x8k2p" }));

    await waitFor(() => {
      expect(screen.getByRole<HTMLButtonElement>("button", { name: /^Kill/ }).disabled).toBe(false);
    });
    expect(asked).toEqual([["kana-worker-x8k2p", "delete"]]);
  });

  it("evicts a pod of a cluster, and says which budget forbids it", async () => {
    const needs = "The disruption budget kana-worker needs 1 healthy pods and has 1 currently.";
    const asked = tile(aFailedAnswer({ message: needs }), { node: "node-1" });

    fireEvent.click(screen.getByRole("button", { name: "Evict kana-worker-x8k2p" }));

    expect((await screen.findByRole("alert")).textContent).toBe(needs);
    expect(asked).toEqual([["kana-worker-x8k2p", "evict"]]);
  });

  it("offers neither eviction nor a log for a pod outside a cluster", () => {
    tile(DONE);

    expect(screen.queryByRole("button", { name: /^Evict/ })).toBeNull();
    expect(screen.queryByRole("button", { name: /^Log/ })).toBeNull();
  });

  it("disables eviction of a stopping pod, and still shows its log", () => {
    let shown = 0;
    tile(DONE, { node: "node-1", phase: "stopping" }, () => {
      shown += 1;
    });

    fireEvent.click(screen.getByRole("button", { name: "Log of kana-worker-x8k2p" }));

    expect(screen.getByRole<HTMLButtonElement>("button", { name: /^Evict/ }).disabled).toBe(true);
    expect(shown).toBe(1);
  });

  it("says why its pod could not be stopped, and allows another try", async () => {
    tile(aFailedAnswer({ message: "There is no such pod." }));
    const kill = screen.getByRole<HTMLButtonElement>("button", { name: /^Kill/ });

    fireEvent.click(kill);

    expect((await screen.findByRole("alert")).textContent).toBe("There is no such pod.");
    expect(kill.disabled).toBe(false);
  });

  it("disables every button once its pod is gone", () => {
    tile(DONE, { phase: "gone", goneAt: 12_000 });

    expect(screen.getAllByRole<HTMLButtonElement>("button").every(({ disabled }) => disabled)).toBe(true);
  });
});
