import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { aFailedAnswer, anApi } from "../../test/fakes";
import { aListedRun } from "./fakes";
import { RunsButton } from "./RunsButton";

const RUNS = [
  aListedRun({ batch: "two", name: "two pods", elapsed_ms: 3_320, workers: ["kana-worker-a", "kana-worker-b"] }),
  aListedRun({ batch: "one", name: "one pod", elapsed_ms: 6_350, redelivered: 2 }),
];

function opened(api = anApi({ batches: () => Promise.resolve({ ok: true, value: RUNS }) })) {
  render(<RunsButton api={api} settled={42} />);
  fireEvent.click(screen.getByRole("button", { name: "Runs" }));
}

const row = (name: string) =>
  within(screen.getByRole("row", { name: new RegExp(`^${name}`) }))
    .getAllByRole("cell")
    .slice(0, -1)
    .map((cell) => cell.textContent);

describe("the table of runs", () => {
  it("says how long each took, on how many pods, and how much faster than the slowest", async () => {
    opened();

    await screen.findByText("two pods");
    expect(row("two pods")).toEqual(["21 done", "2", "0", "3.32 s", "6.3", "1.91 ×"]);
    expect(row("one pod")).toEqual(["21 done", "1", "2", "6.35 s", "3.3", "1.00 ×"]);
  });

  it("compares with the run that a person chooses", async () => {
    opened();

    fireEvent.click(await screen.findByRole("radio", { name: "Compare with two pods" }));

    expect(row("one pod").at(-1)).toBe("0.52 ×");
  });

  it("says why the runs cannot be read", async () => {
    opened(anApi({ batches: () => Promise.resolve(aFailedAnswer({ message: "The queue does not answer." })) }));

    expect((await screen.findByRole("alert")).textContent).toBe("The queue does not answer.");
  });
});
