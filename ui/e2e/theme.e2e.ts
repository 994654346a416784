// Does the page have the colours that a person chooses, from the first moment on?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readyPods, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { launch, open } from "./browser.ts";

let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser, "/", undefined, watchPaper));
  page.setDefaultTimeout(SHOWS_WITHIN);
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await browser.close();
});

describe("the theme", () => {
  it("is the system's at first", async () => {
    const light = await paper();
    await page.emulateMedia({ colorScheme: "dark" });

    expect(brightness(light)).toBeGreaterThan(200);
    await expect.poll(async () => brightness(await paper())).toBeLessThan(60);
    await page.emulateMedia({ colorScheme: "light" });
  });

  it("is dark where that is chosen, and axe finds no fault", async () => {
    await page.getByRole("button", { name: "Theme" }).click();
    expect(await axe(page)).toEqual([]);
    await page.getByRole("menuitemradio", { name: "Dark" }).click();

    await expect.poll(async () => brightness(await paper())).toBeLessThan(60);
    await page.getByRole("menu").waitFor({ state: "detached" });
    expect(await axe(page)).toEqual([]);
  });

  it("is there after a reload before anything is drawn", async () => {
    await page.reload();
    await readyPods(page).first().waitFor();

    const first = await page.evaluate(() => (window as unknown as { first: string }).first);
    expect(first).toBe("dark");
    expect(brightness(await paper())).toBeLessThan(60);
  });

  it("is also that of the API's documentation", async () => {
    await page.getByRole("link", { name: "API" }).click();
    await page.getByRole("heading", { name: "kana API" }).waitFor();

    expect(brightness(await paper())).toBeLessThan(60);
    expect(errors).toEqual([]);
  });
});

function paper(): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

function brightness(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
  return (red + green + blue) / 3;
}

/** Runs in the page: keeps which theme it has when its body comes to be, which is before anything is drawn. */
function watchPaper(): void {
  new MutationObserver((_, observer) => {
    if (document.querySelector("body") === null) return;
    (window as unknown as { first: string }).first = document.documentElement.dataset.theme ?? "system";
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
}
