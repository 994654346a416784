// Do the charts show in a real browser what the service does?
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choosePictures, readyPods, receiptOf, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { launch, NARROW, open, shoot, WIDE } from "./browser.ts";

const NAMES = ["Throughput", "Time of an image", "Queue", "Pods over the backlog"];

let browser: Browser;
let page: Page;
let errors: string[];
let dialog: Locator;
const scripts: string[] = [];

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
  page.on("request", (request) => {
    if (request.resourceType() === "script") scripts.push(request.url());
  });
  dialog = page.getByRole("dialog", { name: "The last 15 minutes" });
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await browser.close();
});

describe("the charts", () => {
  it("are loaded when they are opened, and know what came before", async () => {
    await choosePictures(page, 400, "charted");
    expect((await receiptOf(page, 400)).failed).toBe(0);
    expect(scripts).toEqual([]);

    await page.getByRole("button", { name: "Charts" }).click();
    for (const name of NAMES) await dialog.getByRole("region", { name }).waitFor();

    await dialog.getByText(/^What this page has seen since \d\d:\d\d:\d\d/).waitFor();
    await expect.poll(() => valueIn("Time of an image", "p99")).toMatch(/^[\d.]+ m?s$/);
    expect(await valueIn("Pods over the backlog", "ready")).toMatch(/^[1-9]$/);
    expect(scripts.length).toBeGreaterThan(0);
  });

  it("draw, in the colours of the page, what the table says", async () => {
    await dialog.getByRole("region", { name: "Time of an image" }).getByText("As a table").click();
    const table = dialog.getByRole("table", { name: "Time of an image: the last value of each 15 s" });
    await table
      .getByRole("cell", { name: /^[\d.]+ m?s$/ })
      .first()
      .waitFor();

    for (const [name, colour] of [
      ["Throughput", "--accent"],
      ["Time of an image", "--warn"],
      ["Queue", "--warn"],
      ["Pods over the backlog", "--good"],
    ] as const) {
      await expect
        .poll(() => isDrawnIn(dialog.getByRole("img", { name }), colour), { message: name, timeout: SHOWS_WITHIN })
        .toBe(true);
    }
    await dialog.getByText("As a table").nth(1).click();
    await shoot(page, "7-charts");
  });

  it("say the values below the pointer, in all charts at once", async () => {
    const region = dialog.getByRole("region", { name: "Throughput" });
    await region.getByText("now", { exact: true }).waitFor();
    const box = await region.getByRole("img").boundingBox();
    await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * 0.92, (box?.y ?? 0) + 60);

    for (const name of NAMES) {
      await dialog
        .getByRole("region", { name })
        .getByText(/^\d\d:\d\d:\d\d$/)
        .waitFor();
    }
    await page.mouse.move(0, 0);
    await region.getByText("now", { exact: true }).waitFor();
  });

  it("fit one screen of a desk, and the width of a phone", async () => {
    const overflow = () =>
      dialog.evaluate((box) => [box.scrollHeight - box.clientHeight, box.scrollWidth - box.clientWidth]);
    expect(await overflow()).toEqual([0, 0]);

    await page.setViewportSize(NARROW);
    await expect.poll(async () => (await overflow())[1]).toBe(0);
    await page.setViewportSize(WIDE);
  });

  it.each(["light", "dark"] as const)("have no fault that axe finds: %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    expect(await axe(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: "light" });
  });

  it("give the focus back when they are closed", async () => {
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });

    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Charts");
    expect(errors).toEqual([]);
  });
});

/** Returns the value of a series, as the chart writes it. */
async function valueIn(chart: string, series: string): Promise<string> {
  const item = dialog.getByRole("region", { name: chart }).getByRole("listitem").filter({ hasText: series });
  return (await item.innerText()).slice(series.length).trim();
}

/** Whether something of a chart is drawn in this colour of the page. */
function isDrawnIn(chart: Locator, colour: string): Promise<boolean> {
  return chart.locator("canvas").evaluate((canvas: HTMLCanvasElement, colour) => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue(colour).trim();
    const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const { data = [] } = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? {};
    for (let i = 0; i < data.length; i += 4) {
      if (wanted.every((value, part) => Math.abs(value - (data[i + part] ?? 0)) < 4)) return true;
    }
    return false;
  }, colour);
}
