// Does the pad answer as a person draws, without a result for each stroke?
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readyPods, results, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { launch, NARROW, open, shoot, WIDE } from "./browser.ts";

let browser: Browser;
let page: Page;
let errors: string[];
let dialog: Locator;
let answer: Locator;

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
  await readyPods(page).first().waitFor();
  dialog = page.getByRole("dialog", { name: "Draw a character" });
  answer = dialog.getByRole("status", { name: "Answer" });
});

afterAll(async () => {
  await browser.close();
});

describe("the pad", () => {
  it("answers while a stroke is still being drawn", async () => {
    await page.getByRole("button", { name: "Draw", exact: true }).click();
    await strokeFrom(0.2, 0.3, 0.8, 0.3);

    await answer.getByRole("row").nth(4).waitFor();
    await page.mouse.up();
  });

  it("answers the whole drawing, and says how fast", async () => {
    await strokeFrom(0.5, 0.1, 0.45, 0.9);
    await page.mouse.up();
    await answer.getByText(/^in \d/).waitFor();

    expect(await answer.getByRole("row").count()).toBe(5);
    // One line for whoever compares versions.
    console.info(`draw pad: ${await answer.getByText(/^in \d/).innerText()}`);
    await shoot(page, "10-draw");
  });

  it("undoes a stroke and clears the drawing with its answer", async () => {
    await dialog.getByRole("button", { name: "Undo" }).click();
    await answer.getByRole("row").nth(4).waitFor();
    await dialog.getByRole("button", { name: "Clear" }).click();

    await answer.getByText(/^Draw with/).waitFor();
    expect(await answer.getByRole("row").count()).toBe(0);
    expect(await dialog.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
  });

  it.each([WIDE, NARROW])("has no fault that axe finds at $width px", async (size) => {
    await page.setViewportSize(size);

    expect(await axe(page)).toEqual([]);
    await page.setViewportSize(WIDE);
  });

  it("leaves no result on the page, and is closed by keyboard", async () => {
    await dialog.getByRole("button", { name: "Close" }).focus();
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "hidden" });

    expect(
      await results(page)
        .filter({ hasText: /drawing-/ })
        .count(),
    ).toBe(0);
    expect(errors).toEqual([]);
  });
});

/** Draws from one point of the pad to another, in shares of its sides, and leaves the pointer down. */
async function strokeFrom(x1: number, y1: number, x2: number, y2: number): Promise<void> {
  const pad = await dialog.getByRole("img", { name: "Pad to draw on" }).boundingBox();
  if (!pad) throw new Error("the pad is not shown");
  await page.mouse.move(pad.x + x1 * pad.width, pad.y + y1 * pad.height);
  await page.mouse.down();
  await page.mouse.move(pad.x + x2 * pad.width, pad.y + y2 * pad.height, { steps: 20 });
}
