import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Job } from "../../api/types";
import { aDoneJob, aRun, SUBMITTED } from "../../test/fakes";
import { TimelinePanel } from "./TimelinePanel";

const at = (ms: number) => SUBMITTED + ms;
const LOST = { worker: "pod-a", began: at(100), ended: at(400), cause: "stopped" } as const;
const KILLED = [
  aDoneJob({ id: "1", filename: "one.png", worker: "pod-a", queued_ms: 0, settled: at(100) }),
  aDoneJob({
    id: "2",
    filename: "two.png",
    worker: "pod-b",
    attempts: 2,
    queued_ms: 450,
    settled: at(600),
    lost: [LOST],
  }),
];

function show(jobs: readonly Job[]) {
  const run = aRun({ jobs: jobs.map(({ id }) => id) });
  render(<TimelinePanel run={jobs.length > 0 ? run : null} jobs={new Map(jobs.map((job) => [job.id, job]))} />);
}

describe("the timeline", () => {
  it("says in words what its picture shows", () => {
    show(KILLED);

    expect(screen.getByRole("img").getAttribute("aria-label")).toBe(
      "Timeline: 2 images on 2 pods, 2 done; pod-a ended during the run; 1 image went on to another pod.",
    );
  });

  it("has the same facts as tables: the killed pod, and both attempts at its image", () => {
    show(KILLED);

    const pods = within(screen.getByRole("table", { name: "Pods of the run" }));
    expect(pods.getByRole("row", { name: /^pod-a/ }).textContent).toBe("pod-a11killed after 400 ms");
    const images = within(screen.getByRole("table", { name: "Images of the run" }));
    expect(images.getAllByRole("row")[1]?.textContent).toBe(
      "two.png100 mspod-a, 100 ms – 400 ms, pod killed; pod-b, 450 ms – 600 ms, done",
    );
  });

  it("zooms and pans by button and by key, and shows the whole again", () => {
    show(KILLED);
    const labels = () => [...document.querySelectorAll(".timeline-axis text")].map((label) => label.textContent);
    const whole = labels();

    fireEvent.click(screen.getByRole("button", { name: "Zoom in" }));
    const near = labels();
    fireEvent.keyDown(screen.getByRole("toolbar"), { key: "ArrowRight" });
    const later = labels();
    fireEvent.keyDown(screen.getByRole("toolbar"), { key: "0" });

    expect(near).not.toEqual(whole);
    expect(later).not.toEqual(near);
    expect(labels()).toEqual(whole);
  });

  it("of thousands of images has few elements", () => {
    show(Array.from({ length: 5_000 }, (_, i) => aDoneJob({ id: `${i}`, queued_ms: i, settled: at(i + 1) })));

    expect(document.querySelectorAll("*").length).toBeLessThan(1_000);
  });

  it("says what will appear while there is none", () => {
    show([]);

    expect(screen.getByText(/each appears here as a block/)).toBeTruthy();
  });
});
