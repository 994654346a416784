import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { aBatch, aDoneJob, aJob } from "../../test/fakes";
import { Batch } from "./Batch";

const ROMANISED = new Map([["お", "o"]]);

function show(jobs: Parameters<typeof Batch>[0]["jobs"], differences: Parameters<typeof aBatch>[0] = {}) {
  render(<Batch batch={aBatch(differences)} jobs={jobs} romanised={ROMANISED} />);
}

describe("a batch", () => {
  it("shows label, romanisation, confidence and pod beside the image", () => {
    show([aDoneJob()], { pictures: new Map([["job-1", "blob:a"]]) });

    const [tile] = screen.getAllByRole("listitem");
    expect(tile?.textContent).toContain("お");
    expect(within(tile ?? document.body).getByText("o").className).toBe("result-roman");
    expect(tile?.textContent).toContain("99.8 %");
    expect(tile?.textContent).toContain("x8k2p");
    expect(screen.getByAltText<HTMLImageElement>("Sent: a.png").src).toBe("blob:a");
  });

  it("says that an image is blank in place of its confidence", () => {
    show([aDoneJob({ id: "1", label: "は", blank: true }), aDoneJob({ id: "2" })]);

    const [blank, read] = screen.getAllByRole("listitem");
    expect(blank?.textContent).toContain("blank");
    expect(blank?.textContent).toContain("read as は");
    expect(blank?.textContent).not.toContain("%");
    expect(read?.textContent).not.toContain("blank");
  });

  it("shows which jobs wait, run, failed or needed a second attempt", () => {
    show([
      aJob({ id: "1" }),
      aJob({ id: "2", state: "running", attempts: 1 }),
      aJob({ id: "3", state: "failed", error: "three pods died of it" }),
      aDoneJob({ id: "4", attempts: 2 }),
    ]);

    expect(screen.getAllByRole("listitem").map((tile) => tile.dataset.state)).toEqual([
      "queued",
      "running",
      "failed",
      "done",
    ]);
    expect(screen.getByText("three pods died of it")).toBeTruthy();
    expect(screen.getByText(/attempt/).textContent).toBe("attempt 2");
    expect(screen.getByTestId("receipt").textContent).toContain("4 accepted = 1 done + 1 failed + 2 on the way");
    expect(screen.getByTestId("receipt").textContent).toContain("redelivered 1");
  });

  it("lists the rejected files, each with its reason", () => {
    show([aDoneJob()], { rejected: [{ filename: "notes.txt", error: "is not an image" }] });

    expect(screen.getByText("1 file rejected")).toBeTruthy();
    expect(screen.getByText("notes.txt").closest("li")?.textContent).toBe("notes.txt is not an image");
  });

  it("shows part of a large batch until all of it is requested", () => {
    show(Array.from({ length: 200 }, (_, i) => aDoneJob({ id: `job-${i}` })));
    const few = document.querySelectorAll("[data-job]").length;

    fireEvent.click(screen.getByText("Show all 200"));

    expect(few).toBeLessThan(100);
    expect(document.querySelectorAll("[data-job]")).toHaveLength(200);
  });

  it("counts the open jobs of an expired batch as unknown", () => {
    show([aJob()], { expired: true });

    const receipt = screen.getByTestId("receipt");
    expect(receipt.dataset.open).toBe("false");
    expect(receipt.textContent).toContain("1 unknown");
  });
});
