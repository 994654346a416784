// Does the timeline tell what happened to each image, and does a reload tell the same?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choosePictures, killButton, nameOf, readyPods, receiptOf, SHOWS_WITHIN } from "./actions.ts";
import { launch, open, shoot } from "./browser.ts";

let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
  await readyPods(page).nth(1).waitFor();
});

afterAll(async () => {
  await browser.close();
});

const picture = () => page.getByRole("img", { name: /^Timeline: / });

describe("the timeline", () => {
  it("shows 21 images on two pods, one of them killed, and all 21 done", async () => {
    const [pod] = await readyPods(page).all();
    const name = pod ? await nameOf(pod) : "";
    await choosePictures(page, 21, "story");
    await killButton(page, name).click();

    expect(await receiptOf(page, 21)).toEqual({ done: 21, failed: 0 });
    await expect.poll(() => picture().getAttribute("aria-label")).toMatch(/^Timeline: 21 images on \d pods?, 21 done/);
    await shoot(page, "7-timeline");
  });

  it("has the same facts as tables, which a button shows", async () => {
    await page.getByRole("button", { name: "Table" }).click();

    const images = page.getByRole("table", { name: "Images of the run" });
    expect(await images.getByRole("row").count()).toBe(22);
    expect(await images.innerText()).toMatch(/story_0\.png[^]*kana-worker-\S+, .+ – .+, done/);
    await page.getByRole("button", { name: "Table" }).click();
    await picture().waitFor();
  });

  it("zooms by button, by wheel and by key", async () => {
    const axis = () => picture().locator("text").allTextContents();
    const whole = await axis();
    await page.getByRole("button", { name: "Zoom in" }).click();
    await expect.poll(axis).not.toEqual(whole);
    await page.keyboard.press("0");
    await expect.poll(axis).toEqual(whole);

    await picture().hover();
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -400);
    await page.keyboard.up("Control");
    await expect.poll(axis).not.toEqual(whole);
    await page.getByRole("button", { name: "Whole run" }).click();
    await expect.poll(axis).toEqual(whole);
  });

  it("causes no error in the browser", () => {
    expect(errors).toEqual([]);
  });
});
