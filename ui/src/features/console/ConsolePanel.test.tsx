import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { ConsoleLine } from "../../live/state";
import { ConsolePanel } from "./ConsolePanel";

const LONG = `kana worker --listen 127.0.0.1:0 ${"--quiet ".repeat(12)}--name kana-worker-new`;
const LINES: readonly ConsoleLine[] = [
  { kind: "command", command: "kill -9 12", output: "killed", took_ms: 2, seq: 1, at: 0 },
  { kind: "pod", name: "kana-worker-old", state: "killed", reason: "", seq: 2, at: 1 },
  { kind: "command", command: LONG, output: "pid 13", took_ms: 2, seq: 3, at: 2 },
];

const shown = () =>
  within(screen.getByRole("log"))
    .queryAllByRole("time")
    .map(({ nextElementSibling }) => nextElementSibling?.textContent);

function panel() {
  render(<ConsolePanel lines={LINES} target={{ gateway: "", hasToken: false }} />);
}
const filter = (text: string) => {
  fireEvent.change(screen.getByRole("searchbox", { name: "Filter" }), { target: { value: text } });
};

describe("the console", () => {
  it("has commands and events in the order in which they came, each with a command to copy", () => {
    panel();

    expect(shown()).toEqual(["$ kill -9 12", "pod kana-worker-old: killed", "$ kana worker … --name kana-worker-new"]);
    screen.getByRole("button", { name: "Copy kill -9 12" });
    screen.getByRole("button", { name: "Copy curl -s /v1/pods" });
    screen.getByRole("button", { name: `Copy ${LONG}` });
  });

  it("shows the lines that a filter matches, says when there is none, and all again without it", () => {
    panel();

    filter("killed");
    expect(shown()).toEqual(["$ kill -9 12", "pod kana-worker-old: killed"]);
    filter("nothing");
    expect(shown()).toEqual([]);
    screen.getByText("No line has all these words.");
    filter("");
    expect(shown()).toHaveLength(LINES.length);
  });

  it("unfolds a long line and folds it again, and only a long one", () => {
    panel();
    const button = screen.getByRole("button", { name: /^Whole line/ });

    fireEvent.click(button);
    expect(shown()[2]).toBe(`$ ${LONG}`);
    expect(button.getAttribute("aria-expanded")).toBe("true");
    fireEvent.click(button);
    expect(shown()[2]).toBe("$ kana worker … --name kana-worker-new");
  });
});
