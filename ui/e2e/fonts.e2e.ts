// Do the fonts come from the service itself, and does nothing wait or move for them?
import { EventEmitter, once } from "node:events";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readyPods, SHOWS_WITHIN } from "./actions.ts";
import { KANA_URL, launch, open, WIDE } from "./browser.ts";

/** Most bytes of all fonts together. */
const WEIGHT_MAX = 300_000;
/** Largest sum of layout shifts. */
const SHIFT_MAX = 0.02;

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});

afterAll(async () => {
  await browser.close();
});

describe("the fonts", () => {
  it("are the page's own, light enough, and licensed beside", async () => {
    const { page, errors } = await open(browser);
    page.setDefaultTimeout(SHOWS_WITHIN);
    await readyPods(page).first().waitFor();
    await expect.poll(() => loaded(page)).toEqual(["Kana Glyphs", "Kana Text", "Kana Text ja"]);

    const files = await page.evaluate(() => {
      const rules = [...document.styleSheets].flatMap((sheet) =>
        [...sheet.cssRules].map((rule) => [sheet, rule] as const),
      );
      return rules.flatMap(([sheet, rule]) => {
        const path = /url\("([^"]+\.woff2)"\)/.exec(rule.cssText)?.[1];
        return rule instanceof CSSFontFaceRule && path !== undefined ? [new URL(path, sheet.href ?? "").href] : [];
      });
    });
    expect(files).toHaveLength(4);
    let weight = 0;
    for (const file of files) {
      const answer = await page.request.get(file);
      expect([file.startsWith(KANA_URL), answer.status(), answer.headers()["content-type"]]).toEqual([
        true,
        200,
        "font/woff2",
      ]);
      weight += (await answer.body()).length;
    }
    expect(weight).toBeLessThanOrEqual(WEIGHT_MAX);
    for (const font of ["inter", "zen-kaku-gothic-new", "biz-udmincho"]) {
      const licence = await page.request.get(new URL(`OFL-${font}.txt`, files[0]).href);
      expect(await licence.text()).toContain("SIL OPEN FONT LICENSE");
    }
    expect(errors).toEqual([]);
    await page.close();
  });

  it.each(["en-GB", "ja-JP"])("come late without a blank or a move of the page: %s", async (locale) => {
    const page = await browser.newPage({ viewport: WIDE, locale });
    page.setDefaultTimeout(SHOWS_WITHIN);
    const gate = new EventEmitter();
    const released = once(gate, "released");
    await page.route("**/*.woff2", async (route) => {
      await released;
      await route.continue();
    });
    await page.addInitScript(() => {
      const watched = window as unknown as { shift: number };
      watched.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) watched.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(KANA_URL, { waitUntil: "commit" });
    await page
      .getByRole("article", { name: /ready$|稼働$/ })
      .first()
      .waitFor();
    expect(await loaded(page)).toEqual([]);
    expect(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint").length)).toBe(1);
    const before = await page.evaluate(() => (window as unknown as { shift: number }).shift);

    gate.emit("released");
    await expect.poll(() => loaded(page)).toContain("Kana Text");
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

    const shift = (await page.evaluate(() => (window as unknown as { shift: number }).shift)) - before;
    expect(shift).toBeLessThanOrEqual(SHIFT_MAX);
    await page.close();
  });

  it("write each digit as wide as the others where numbers change", async () => {
    const { page } = await open(browser);
    await expect.poll(() => loaded(page)).toContain("Kana Text");
    const widths = await page.evaluate(() => {
      const line = document.createElement("span");
      line.className = "numbers";
      line.style.position = "absolute";
      document.body.append(line);
      return "0123456789".split("").map((digit) => {
        line.textContent = digit.repeat(20);
        return line.getBoundingClientRect().width;
      });
    });

    expect(new Set(widths).size).toBe(1);
    await page.close();
  });
});

/** Returns the families of the page's own fonts that are there, by name. */
function loaded(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const own = [...document.fonts].filter(({ family, status }) => status === "loaded" && !family.includes("before"));
    return [...new Set(own.map(({ family }) => family.replaceAll('"', "")))].sort();
  });
}
