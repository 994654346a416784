// Do both pages work where a proxy serves them under a path?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { launch, open } from "./browser.ts";
import { pictures } from "./pictures.ts";

/** Address of the kana under test behind a proxy, with a path. */
const PROXIED_URL = process.env.KANA_PROXIED_URL;
/** Longest wait for anything to appear, in milliseconds. */
const SHOWS_WITHIN = 45_000;

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
    await page.locator('[data-pod][data-phase="ready"]').first().waitFor();
    await page.locator("input[type=file]").setInputFiles(pictures(3, "proxied"));

    await page.waitForFunction(() => document.querySelectorAll('[data-state="done"]').length >= 3);
  });

  it("a click kills a pod", async () => {
    const victim = page.locator('[data-pod][data-phase="ready"]').first();
    const name = (await victim.getAttribute("data-pod")) ?? "";
    await victim.click();

    await page.locator(`[data-pod="${name}"][data-phase="gone"]`).waitFor();
  });

  it("the documentation opens, and its commands and links lead through the proxy", async () => {
    const root = PROXIED_URL?.replace(/\/$/, "") ?? "";
    await page.goto(`${root}/docs`);

    const command = await page.locator("#read_status pre").innerText();
    expect(command.split(" ").at(-1)).toBe(`${root}/v1/status`);
    await page.getByRole("link", { name: "The page of kana" }).click();
    await page.locator('[data-pod][data-phase="ready"]').first().waitFor();
    expect(page.url()).toBe(`${root}/`);
  });

  it("nothing causes an error in the browser", () => {
    expect(errors).toEqual([]);
  });
});
