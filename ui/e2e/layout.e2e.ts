// Is all that a demonstration needs visible at once, does it stay in its place, and can everybody use it?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choosePictures, killButton, nameOf, readyPods, receiptOf, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { launch, NARROW, open, shoot, WIDE } from "./browser.ts";
import { pictures } from "./pictures.ts";

/** Largest sum of layout shifts in normal use. */
const SHIFT_MAX = 0.02;
/** Smallest side of what a finger touches, in pixels. */
const TOUCH_MIN = 44;
const DESKS = [WIDE, { width: 1440, height: 900 }];

let browser: Browser;
let page: Page;

beforeAll(async () => {
  browser = await launch();
  ({ page } = await open(browser, "/", undefined, watchShifts));
  page.setDefaultTimeout(SHOWS_WITHIN);
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await browser.close();
});

describe("the layout", () => {
  it("does not shift while images are sent and a pod is killed and replaced", async () => {
    await choosePictures(page, 30, "shift");
    await receiptOf(page, 30);
    const name = await nameOf(readyPods(page).first());
    await killButton(page, name).click();
    await page.getByRole("article", { name: `Pod ${name}, killed` }).waitFor();
    await page.getByRole("article", { name: `Pod ${name}, killed` }).waitFor({ state: "detached" });

    expect(await page.evaluate(() => (window as unknown as { shift: number }).shift)).toBeLessThanOrEqual(SHIFT_MAX);
  });

  it.each(DESKS)("is one viewport at $width × $height: nothing scrolls but the lists", async (size) => {
    await page.setViewportSize(size);

    const root = await page.evaluate(() => {
      const { scrollHeight, scrollWidth } = document.documentElement;
      return { scrollHeight, scrollWidth };
    });
    expect(root).toEqual({ scrollHeight: size.height, scrollWidth: size.width });
    const newest = page.getByRole("log", { name: "Commands" }).locator("time").last();
    for (const part of [
      readyPods(page).first(),
      page.getByRole("textbox", { name: "Max" }),
      page.getByRole("button", { name: "Choose images" }),
      page.getByRole("button", { name: /shift_0\.png/ }),
      page.getByRole("img", { name: /^Images in the queue/ }),
      newest,
    ]) {
      const box = await part.boundingBox();
      expect(box?.y).toBeGreaterThanOrEqual(0);
      expect((box?.y ?? Infinity) + (box?.height ?? 0)).toBeLessThanOrEqual(size.height);
    }
    const isHidden = await newest.evaluate((line) => {
      const { bottom, left } = line.getBoundingClientRect();
      return !line.contains(document.elementFromPoint(left + 4, bottom - 4));
    });
    expect(isHidden).toBe(false);
  });

  it("uses the width of a large screen", async () => {
    await page.setViewportSize({ width: 1920, height: 1080 });
    const box = await page.getByRole("region", { name: "Results" }).boundingBox();

    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeGreaterThan(1920 - 40);
  });

  it("has images and results first on a phone, and the console last", async () => {
    await page.setViewportSize(NARROW);
    const tops: number[] = [];
    for (const name of ["Images", "Results", "Pods", "Scale", "Queue", "Console"]) {
      tops.push((await page.getByRole("region", { name, exact: true }).boundingBox())?.y ?? NaN);
    }

    expect(tops).toEqual(tops.toSorted((a, b) => a - b));
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(NARROW.width);
  });

  it("has targets large enough for a finger on a phone", async () => {
    await page.setViewportSize(NARROW);
    const small: string[] = [];
    for (const target of await page.getByRole("button").or(page.getByRole("textbox")).all()) {
      const box = await target.boundingBox();
      if (box === null || Math.min(box.width, box.height) >= TOUCH_MIN - 0.5) continue;
      small.push(
        `${(await target.getAttribute("aria-label")) ?? (await target.innerText())} ${box.width}×${box.height}`,
      );
    }
    await page.setViewportSize(WIDE);

    expect(small).toEqual([]);
  });

  it.each(["page", "result", "pod", "phone", "dark"])("has no fault that axe finds: %s", async (view) => {
    if (view === "phone") await page.setViewportSize(NARROW);
    if (view === "dark") await page.emulateMedia({ colorScheme: "dark" });
    if (view === "result") await page.getByRole("button", { name: /shift_0\.png/ }).click();
    if (view === "pod")
      await page
        .getByRole("button", { name: /^Details of / })
        .first()
        .click();
    if (view === "result" || view === "pod") await page.getByRole("dialog").waitFor();

    const faults = await axe(page);

    await page.keyboard.press("Escape");
    await page.setViewportSize(WIDE);
    await page.emulateMedia({ colorScheme: "light" });
    expect(faults).toEqual([]);
  });
});

describe("in Japanese", () => {
  it("the page speaks as the browser prefers, fits one viewport, and can be switched for good", async () => {
    const japanese = await browser.newPage({ viewport: WIDE, locale: "ja-JP", reducedMotion: "reduce" });
    japanese.setDefaultTimeout(SHOWS_WITHIN);
    await japanese.goto(page.url());
    await japanese
      .getByRole("article", { name: /^ポッド .+、稼働$/ })
      .first()
      .waitFor();
    await japanese.getByLabel("分類する画像", { exact: true }).setInputFiles(pictures(21, "ja"));
    await japanese.getByRole("heading", { name: /^受付 21 = 完了 21/ }).waitFor();

    expect(await japanese.evaluate(() => document.documentElement.lang)).toBe("ja");
    expect(await japanese.evaluate(() => document.documentElement.scrollHeight)).toBe(WIDE.height);
    expect(await axe(japanese)).toEqual([]);
    await shoot(japanese, "6-japanese");

    await japanese.getByRole("button", { name: "English" }).click();
    await japanese.reload();
    await japanese.getByRole("button", { name: "Choose images" }).waitFor();
    expect(await japanese.evaluate(() => document.documentElement.lang)).toBe("en");
    await japanese.close();
  });
});

/** Runs in the page: adds up the shifts that no person caused. */
function watchShifts(): void {
  const totals = window as unknown as { shift: number };
  totals.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
      if (!entry.hadRecentInput) totals.shift += entry.value;
    }
  }).observe({ type: "layout-shift", buffered: true });
}
