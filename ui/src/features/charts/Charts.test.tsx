import { act, fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";

import { aQueue } from "../../test/fakes";
import Charts from "./Charts";
import { createRecorder } from "./recorder";

interface Plotted {
  readonly title: string;
  readonly onHover: (point: number | null) => void;
}

const plots = new Map<string, Plotted>();
// A canvas is what jsdom lacks.
vi.mock("./Plot", () => ({
  Plot: (props: Plotted) => {
    plots.set(props.title, props);
    return null;
  },
}));

function charts() {
  const recorder = createRecorder();
  recorder.observe({ type: "connection", connection: "open" });
  const sample = (at: number, waiting: number) => {
    recorder.observe({ type: "events", events: [{ type: "queue", queue: aQueue({ waiting }) }], at });
    recorder.sample(at);
  };
  render(<Charts recorder={recorder} />);
  return { sample };
}

const queue = () => screen.getByRole("region", { name: "Queue" });

describe("the charts", () => {
  it("say since when they watch, and follow", () => {
    const { sample } = charts();
    screen.getByText("The first point comes within a second.");

    act(() => {
      sample(0, 8);
    });
    act(() => {
      sample(1_000, 5);
    });

    screen.getByText(/^What this page has seen since \d\d:00:00\./);
    expect(queue().textContent).toContain("waiting 5");
  });

  it("show the values below the pointer", () => {
    const { sample } = charts();
    act(() => {
      sample(0, 8);
      sample(1_000, 5);
      plots.get("Queue")?.onHover(0);
    });
    expect(queue().textContent).toContain("waiting 8");

    act(() => plots.get("Queue")?.onHover(null));
    expect(queue().textContent).toContain("waiting 5");
  });

  it("have the same values as a table", () => {
    const { sample } = charts();
    act(() => {
      sample(14_000, 8);
      sample(15_000, 5);
    });
    expect(screen.queryByRole("table")).toBeNull();

    const details = within(queue()).getByRole("group");
    (details as HTMLDetailsElement).open = true;
    fireEvent(details, new Event("toggle"));

    const table = screen.getByRole("table", { name: "Queue: the last value of each 15 s" });
    const text = (role: string) =>
      within(table)
        .getAllByRole(role)
        .map(({ textContent }) => textContent);
    expect(text("columnheader")).toEqual(["Time", "waiting", "running", "oldest wait"]);
    expect(text("rowheader").map((time) => time.slice(-2))).toEqual(["15", "14"]);
    expect(text("cell")).toEqual(["5", "0", "0 s", "8", "0", "0 s"]);
  });
});
