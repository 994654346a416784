// Do a reload and a second tab show the runs that the service knows?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choosePictures, readyPods, receiptOf, results, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { KANA_URL, launch, open, shoot } from "./browser.ts";

/** More images than fit in one request. */
const SEVERAL_REQUESTS = 70;

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

describe("a run", () => {
  it("is the same after a reload in its midst, with a picture of every image", async () => {
    await choosePictures(page, 21, "kept");
    await page.getByRole("button", { name: /kept_0\.png/ }).waitFor();
    await page.reload();

    expect(await receiptOf(page, 21)).toEqual({ done: 21, failed: 0 });
    await expect.poll(() => results(page).locator("img[src^='blob:']").count()).toBe(21);
    await page.getByRole("img", { name: /^Timeline: 21 images/ }).waitFor();
  });

  it("is shown in a second tab, live", async () => {
    const { page: second } = await open(browser);
    second.setDefaultTimeout(SHOWS_WITHIN);
    await readyPods(second).first().waitFor();
    await choosePictures(page, 9, "seen");

    expect(await receiptOf(second, 9)).toEqual({ done: 9, failed: 0 });
    await second.close();
  });

  it("of several requests is one run for the service", async () => {
    await choosePictures(page, SEVERAL_REQUESTS, "one");
    await receiptOf(page, SEVERAL_REQUESTS);

    const listed = (await (await fetch(`${KANA_URL}/v1/batches?limit=1`)).json()) as { accepted: number }[];
    expect(listed.map(({ accepted }) => accepted)).toEqual([SEVERAL_REQUESTS]);
  });

  it("is compared with another one, by pods, time and images a second", async () => {
    await page.getByRole("button", { name: "Runs", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Runs" });
    const latest = dialog.getByRole("row").nth(1);
    await expect.poll(() => latest.innerText()).toMatch(new RegExp(`${SEVERAL_REQUESTS} done`));
    await latest.getByRole("radio").check();
    await expect.poll(() => latest.innerText()).toMatch(/1\.00 ×/);
    await shoot(page, "13-runs");
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press("Escape");
  });

  it("stays away once a person has cleared it", async () => {
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByText(/^Nothing sent yet/).waitFor();
    await page.reload();
    await readyPods(page).first().waitFor();

    await page.getByText(/^Nothing sent yet/).waitFor();
  });

  it("causes no error in the browser", () => {
    expect(errors).toEqual([]);
  });
});
