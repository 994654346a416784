import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Answer } from "../../api/problem";
import { aPod, anApi, aFailedAnswer } from "../../test/fakes";
import { PodTile } from "./PodTile";

function tile(answer: Answer<unknown>, differences: Parameters<typeof aPod>[0] = {}) {
  const asked: [string, string][] = [];
  const opened: string[] = [];
  const api = anApi({
    stopPod: (name, mode) => {
      asked.push([name, mode]);
      return Promise.resolve(answer);
    },
  });
  const pod = aPod(differences);
  const props = { now: 13_000, api, refused: false, onOpen: () => opened.push(pod.name), onStopping: () => undefined };
  const { rerender } = render(<PodTile pod={pod} {...props} />);
  return {
    asked,
    opened,
    receive: (next: Parameters<typeof aPod>[0]) => {
      rerender(<PodTile pod={aPod(next)} {...props} />);
    },
  };
}

const DONE: Answer<unknown> = { ok: true, value: null };

describe("a pod's tile", () => {
  it("shows its state, age and counts, and has its full name as its accessible name", () => {
    tile(DONE);

    const article = screen.getByRole("article", { name: "Pod kana-worker-x8k2p, ready" });
    expect(article.dataset.phase).toBe("ready");
    expect(article.textContent).toContain("12 s");
    expect(article.textContent).toContain("12 done 3 in flight");
  });

  it("says why its pod is not ready", () => {
    tile(DONE, { phase: "starting", reason: "CrashLoopBackOff; last ended as OOMKilled, exit code 137" });

    expect(screen.getByRole("article").textContent).toContain("ended as OOMKilled");
  });

  it("opens the details on a double click on its name, and kills nothing", () => {
    const { asked, opened } = tile(DONE);

    fireEvent.click(screen.getByText("x8k2p"));
    fireEvent.click(screen.getByText("x8k2p"));

    expect(asked).toEqual([]);
    expect(opened).toEqual(["kana-worker-x8k2p", "kana-worker-x8k2p"]);
  });

  it("kills its pod once, however often its button is clicked", async () => {
    const { asked } = tile(DONE);

    fireEvent.click(kill());
    fireEvent.click(kill());

    await waitFor(() => {
      expect(kill().textContent).toBe("Killing …");
    });
    expect(kill().getAttribute("aria-disabled")).toBe("true");
    expect(asked).toEqual([["kana-worker-x8k2p", "kill"]]);
  });

  it("keeps the focus on the button after a kill by keyboard", () => {
    const { receive } = tile(DONE);
    kill().focus();

    fireEvent.click(kill());
    receive({ phase: "gone", goneAt: 12_000, ending: "killed" });

    expect(document.activeElement).toBe(kill());
  });

  it("says why its pod could not be stopped, allows another try, and forgets it when the pod changes", async () => {
    const { receive } = tile(aFailedAnswer({ message: "There is no such pod." }));

    fireEvent.click(kill());

    expect((await screen.findByRole("alert")).textContent).toBe("There is no such pod.");
    expect(kill().getAttribute("aria-disabled")).toBe("false");
    receive({ phase: "stopping" });
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("says how its pod ended, and is a fault only where nobody planned it", () => {
    const { receive } = tile(DONE, { phase: "gone", goneAt: 1, ending: "scaled down" });
    const planned = screen.getByRole("article", { name: /scaled down/ }).dataset.fault;

    receive({ phase: "gone", goneAt: 1, ending: "crashed" });

    expect(planned).toBe("false");
    expect(screen.getByRole("article", { name: /crashed/ }).dataset.fault).toBe("true");
  });
});

function kill(): HTMLElement {
  return screen.getByRole("button", { name: "Kill kana-worker-x8k2p" });
}
