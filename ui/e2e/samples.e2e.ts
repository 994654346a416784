// Can a person without images give the service much to do, and stop that?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readyPods, receiptOf, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { launch, NARROW, open, shoot, WIDE } from "./browser.ts";

const TOUCH_MIN = 44;

let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await browser.close();
});

describe("more samples", () => {
  it.each([WIDE, NARROW])("have no fault that axe finds at $width px, and room for fingers", async (size) => {
    await page.setViewportSize(size);
    await page.getByRole("button", { name: "More samples" }).click();
    const form = page.getByRole("dialog", { name: "More samples" });
    await form.waitFor();
    if (size === NARROW) {
      for (const target of await form.getByRole("button").or(form.getByRole("spinbutton")).all()) {
        expect((await target.boundingBox())?.height).toBeGreaterThanOrEqual(TOUCH_MIN - 0.5);
      }
    }

    expect(await axe(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.setViewportSize(WIDE);
  });

  it("are 500 in one run", async () => {
    await page.getByRole("button", { name: "More samples" }).click();
    await page.getByRole("button", { name: "Try 500 samples" }).click();

    expect((await receiptOf(page, 500)).failed).toBe(0);
  });

  it("keep coming at the rate that is asked for, until they are stopped", async () => {
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByRole("button", { name: "More samples" }).click();
    await page.getByLabel("Samples a second").fill("40");
    await shoot(page, "12-samples");
    await page.getByRole("button", { name: "Keep going" }).click();
    const run = page.getByRole("heading", { level: 3 }).first();
    const accepted = async () => Number(/^(\d+) accepted/.exec(await run.innerText())?.[1] ?? 0);
    await expect.poll(accepted, { timeout: SHOWS_WITHIN }).toBeGreaterThan(80);
    await page.getByRole("button", { name: "Stop (40 a second)" }).click();

    await page.getByRole("button", { name: "More samples" }).waitFor();
    // It has ended when every image has its outcome and none is added.
    await expect.poll(() => run.innerText()).toMatch(/failed\s+in /);
    expect(await page.getByRole("heading", { level: 3 }).count()).toBe(1);
    expect(errors).toEqual([]);
  });
});
