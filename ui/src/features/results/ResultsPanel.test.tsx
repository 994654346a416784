import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Job } from "../../api/types";
import { aDoneJob, aFailedAnswer, aFile, aJob, anApi, aRun } from "../../test/fakes";
import { ResultsPanel } from "./ResultsPanel";

const ROMANISED = new Map([["お", "o"]]);

function show(jobs: readonly Job[], differences: Parameters<typeof aRun>[0] = {}) {
  const again: string[] = [];
  render(
    <ResultsPanel
      api={anApi({ job: () => Promise.resolve(aFailedAnswer({ status: 404 })) })}
      runs={[aRun({ jobs: jobs.map(({ id }) => id), ...differences })]}
      jobs={new Map(jobs.map((job) => [job.id, job]))}
      otherJobs={new Map()}
      labels={["お", "き"]}
      romanised={ROMANISED}
      onClear={() => undefined}
      onAgain={(files) => again.push(...files.map(({ name }) => name))}
    />,
  );
  return again;
}

const states = () => screen.getAllByRole("listitem").map((tile) => tile.dataset.state);

describe("a result", () => {
  it("has label, romanisation, confidence and pod beside the image", () => {
    show([aDoneJob()], { files: new Map([["job-1", aFile("a.png")]]) });

    const tile = screen.getByRole("button", { name: /^お ?o ?99\.8 % ?a\.png ?x8k2p$/ });
    expect(tile.querySelector("img")?.src).toBe("blob:picture");
  });

  it("says that an image is blank in place of its confidence", () => {
    show([aDoneJob({ label: "は", blank: true })]);

    const tile = screen.getByRole("button", { name: /blank ?read as は/ });
    expect(tile.textContent).not.toContain("%");
  });

  it("shows whether its job waits, runs, failed or needed a second attempt", () => {
    show([
      aJob({ id: "1" }),
      aJob({ id: "2", state: "running", attempts: 1 }),
      aJob({ id: "3", state: "failed", error: "three pods died of it" }),
      aDoneJob({ id: "4", attempts: 2 }),
    ]);

    expect(states()).toEqual(["queued", "running", "failed", "done"]);
    expect(screen.getByText("three pods died of it")).toBeTruthy();
    expect(screen.getByText("attempt 2")).toBeTruthy();
    const receipt = screen.getByRole("heading", { level: 3 }).textContent;
    expect(receipt).toContain("4 accepted = 1 done + 1 failed + 2 on the way");
    expect(receipt).toContain("redelivered 1");
  });

  it("opens its details: probabilities, attempts, JSON, and the same image again", async () => {
    const again = show([aDoneJob({ probabilities: [0.75, 0.25] })], { files: new Map([["job-1", aFile("a.png")]]) });

    fireEvent.click(screen.getByRole("button", { name: /a\.png/ }));
    const dialog = within(await screen.findByRole("dialog", { name: "a.png" }));

    expect(dialog.getAllByRole("row").map((row) => row.textContent)).toEqual(["お o75.0 %", "き 25.0 %"]);
    expect(dialog.getByRole("button", { name: "Copy JSON" })).toBeTruthy();
    fireEvent.click(dialog.getByRole("button", { name: "Send again" }));
    expect(again).toEqual(["a.png"]);
  });
});

describe("a run", () => {
  it("lists the rejected files, each with its reason and its size as people write it", () => {
    show([aDoneJob()], { rejected: [{ filename: "notes.txt", error: "the file is longer than 33554432 bytes" }] });

    expect(screen.getByText("1 file rejected")).toBeTruthy();
    expect(screen.getByText("notes.txt").closest("li")?.textContent).toBe("notes.txt the file is longer than 32 MB");
  });

  it("of thousands has elements only for the results on the screen", () => {
    show(Array.from({ length: 5_000 }, (_, i) => aDoneJob({ id: `job-${i}` })));

    expect(document.querySelectorAll("*").length).toBeLessThan(1_500);
    expect(screen.getByText(/5,000 accepted/)).toBeTruthy();
  });

  it("counts the open jobs as unknown once the service has forgotten it", () => {
    show([aJob()], { expired: true });

    expect(screen.getByRole("heading", { level: 3 }).textContent).toContain("1 unknown");
  });

  it("says how many files are not sent yet", () => {
    show([aDoneJob()], { given: 300 });

    expect(screen.getByText("299 not sent yet")).toBeTruthy();
  });
});
