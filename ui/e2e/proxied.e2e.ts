// Do both pages work where a proxy serves them under a path?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choosePictures, killButton, nameOf, readyPods, receiptOf, SHOWS_WITHIN } from "./actions.ts";
import { launch, open } from "./browser.ts";

/** Address of the kana under test behind a proxy, with a path. */
const PROXIED_URL = process.env.KANA_PROXIED_URL;

describe.runIf(PROXIED_URL !== undefined)("behind a proxy, under a path", () => {
  let browser: Browser;
  let page: Page;
  let errors: string[];

  beforeAll(async () => {
    browser = await launch();
    ({ page, errors } = await open(browser, "/", PROXIED_URL));
    page.setDefaultTimeout(SHOWS_WITHIN);
  });

  afterAll(async () => {
    await browser.close();
  });

  it("the page shows pods from the event stream, and the results of an upload", async () => {
    await readyPods(page).first().waitFor();
    await choosePictures(page, 3, "proxied");

    expect((await receiptOf(page, 3)).done).toBe(3);
  });

  it("a click kills a pod", async () => {
    const name = await nameOf(readyPods(page).first());
    await killButton(page, name).click();

    await page.getByRole("article", { name: `Pod ${name}, killed` }).waitFor();
  });

  it("the documentation opens, and its commands and links lead through the proxy", async () => {
    const root = PROXIED_URL?.replace(/\/$/, "") ?? "";
    await page.goto(`${root}/docs`);

    const command = await page.locator("#read_status pre").innerText();
    expect(command.split(" ").at(-1)).toBe(`${root}/v1/status`);
    await page.getByRole("link", { name: "The page of kana" }).click();
    await readyPods(page).first().waitFor();
    expect(page.url()).toBe(`${root}/`);
  });

  it("nothing causes an error in the browser", () => {
    expect(errors).toEqual([]);
  });
});
