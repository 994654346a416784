// Can a person find results again, take them with them, and cancel those that still wait?
import { readFile } from "node:fs/promises";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choosePictures, readyPods, receiptOf, results, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { launch, NARROW, open, shoot, SLOW_URL, WIDE } from "./browser.ts";

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

describe("the tools of the results", () => {
  it("find a file by a part of its name", async () => {
    await choosePictures(page, 12, "tool");
    await receiptOf(page, 12);
    await page.getByRole("searchbox", { name: "Name of the file" }).fill("TOOL_1");
    // tool_1, tool_10 and tool_11.
    await expect.poll(() => results(page).count()).toBe(3);
    await page.getByRole("searchbox", { name: "Name of the file" }).fill("no such file");
    await page.getByText("No result matches the filter.").waitFor();
    await page.getByRole("searchbox", { name: "Name of the file" }).fill("");
  });

  it("order the results by confidence, least certain first", async () => {
    const form = await openFilter();
    await form.getByLabel("Order").selectOption("least certain first");
    await shoot(page, "9-filter");
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press("Escape");

    const shares = (await results(page).filter({ hasText: /tool_/ }).allInnerTexts()).flatMap(
      (text) => /([\d.]+) %/.exec(text)?.[1] ?? [],
    );
    expect(shares.length).toBeGreaterThan(1);
    expect(shares.map(Number)).toEqual(shares.map(Number).toSorted((a, b) => a - b));
    await page.getByRole("button", { name: "Filter (1)" }).waitFor();
  });

  it("have targets large enough for a finger on a phone", async () => {
    await page.setViewportSize(NARROW);
    const form = await openFilter();
    for (const target of await form.getByRole("combobox").or(form.getByRole("button")).all()) {
      expect((await target.boundingBox())?.height).toBeGreaterThanOrEqual(TOUCH_MIN - 0.5);
    }
    await form.getByRole("button", { name: "Show everything" }).click();
    await page.keyboard.press("Escape");
    await page.setViewportSize(WIDE);
    await page.getByRole("button", { name: "Filter", exact: true }).waitFor();
  });

  it("save the run as CSV and as JSON", async () => {
    await page.getByRole("button", { name: "Run …" }).first().click();
    await page.getByRole("menu").waitFor();
    await shoot(page, "9-run");
    expect(await axe(page)).toEqual([]);
    await page.keyboard.press("Escape");
    const lines = (await saved("Save as CSV")).trim().split("\r\n");
    expect(lines).toHaveLength(13);
    expect(lines[1]).toMatch(/^tool_0\.png,done,/);

    const jobs = JSON.parse(await saved("Save as JSON")) as { filename: string }[];
    expect(jobs.map(({ filename }) => filename)).toContain("tool_11.png");
  });

  it("cause no error in the browser", () => {
    expect(errors).toEqual([]);
  });
});

describe.runIf(SLOW_URL !== undefined)("a run whose images wait", () => {
  it("is cancelled but for the images that have started, and the page says how many they were", async () => {
    const { page: slow } = await open(browser, "/", SLOW_URL);
    slow.setDefaultTimeout(SHOWS_WITHIN);
    await readyPods(slow).first().waitFor();
    await choosePictures(slow, 40, "cancel");
    await slow.getByRole("button", { name: "Run …" }).click();
    await slow.getByRole("menuitem", { name: /^Cancel [1-9]/ }).click();

    const said = slow.getByText(/^\d+ cancelled, \d+ too late$/);
    await said.waitFor();
    const [cancelled = 0] = ((await said.innerText()).match(/\d+/g) ?? []).map(Number);
    expect(cancelled).toBeGreaterThan(0);
    expect((await receiptOf(slow, 40)).failed).toBe(cancelled);
    await slow.close();
  });
});

async function openFilter(): Promise<Locator> {
  await page.getByRole("button", { name: /^Filter/ }).click();
  const form = page.getByRole("dialog", { name: "Filter" });
  await form.waitFor();
  return form;
}

async function saved(item: string): Promise<string> {
  await page.getByRole("button", { name: "Run …" }).first().click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: item }).click(),
  ]);
  return readFile(await download.path(), "utf8");
}
