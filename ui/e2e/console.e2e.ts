// Does the console tell what happened, in order, with commands that do the same?
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { killButton, nameOf, readyPods, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { KANA_URL, launch, NARROW, open, shoot, WIDE } from "./browser.ts";

let browser: Browser;
let page: Page;
let errors: string[];
let log: Locator;
let filter: Locator;
let killed: string;

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
  log = page.getByRole("log", { name: "Commands" });
  filter = page.getByRole("searchbox", { name: "Filter" });
  await readyPods(page).nth(1).waitFor();
});

afterAll(async () => {
  await browser.close();
});

describe("the console", () => {
  it("tells of a kill, and then of the pod's end and of the next one's start", async () => {
    killed = await nameOf(readyPods(page).first());
    await killButton(page, killed).click();
    await log.getByText(`pod ${killed}: killed`, { exact: true }).waitFor();
    await log.getByText(/^pod kana-worker-.+: ready$/).waitFor();

    // The next one may start before the service has seen the end.
    const place = async (part: RegExp) => (await log.innerText()).search(part);
    expect(await place(/kill -9/)).toBeGreaterThanOrEqual(0);
    expect(await place(new RegExp(`pod ${killed}: killed`))).toBeGreaterThan(await place(/kill -9/));
    expect(await place(/pod \S+: starting/)).toBeGreaterThan(await place(/kill -9/));
    expect(await place(/pod \S+: ready/)).toBeGreaterThan(await place(/pod \S+: starting/));
  });

  it("tells of a change of the range, with the request that reads it", async () => {
    const { min, max } = (await (await page.request.get(`${KANA_URL}/v1/scale`)).json()) as {
      min: number;
      max: number;
    };
    await page.request.put(`${KANA_URL}/v1/scale`, { data: { min, max: max + 1 } });
    await log.getByText(new RegExp(`^scale: \\d+ desired, ${min} to ${max + 1} allowed$`)).waitFor();
    await page.request.put(`${KANA_URL}/v1/scale`, { data: { min, max } });
    await log.getByText(new RegExp(`^scale: \\d+ desired, ${min} to ${max} allowed$`)).waitFor();

    const copy = await log
      .getByRole("button", { name: /^Copy curl -s .+\/v1\/scale$/ })
      .first()
      .getAttribute("aria-label");
    const address = copy?.split(" ").at(-1) ?? "";
    expect((await page.request.get(address)).status()).toBe(200);
  });

  it("shows only what matches the filter", async () => {
    await shoot(page, "10-console");
    const lines = () => log.getByRole("time").count();
    const all = await lines();
    await filter.fill(`${killed} KILLED`);
    await expect.poll(lines).toBeLessThan(all);
    expect(await log.innerText()).not.toContain("scale:");

    await filter.fill("zzz");
    await log.getByText("No line has all these words.").waitFor();
    await filter.fill("");
    await expect.poll(lines).toBe(all);
  });

  it("unfolds a long command by keyboard", async () => {
    const whole = log.getByRole("button", { name: /^Whole line: kana worker / }).last();
    const command = ((await whole.getAttribute("aria-label")) ?? "").replace("Whole line: ", "");
    expect(await log.innerText()).not.toContain(command);
    await whole.focus();
    await page.keyboard.press("Enter");

    await expect.poll(() => log.innerText()).toContain(command);
    await page.keyboard.press("Enter");
    await expect.poll(() => log.innerText()).not.toContain(command);
  });

  it("is as wide as a phone, and its targets are as large as a finger", async () => {
    await page.setViewportSize(NARROW);
    expect(await log.evaluate((box) => box.scrollWidth - box.clientWidth)).toBe(0);
    for (const target of [filter, ...(await log.getByRole("button").all())]) {
      const box = await target.boundingBox();
      expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(43.5);
    }
    await page.setViewportSize(WIDE);
  });

  it.each(["light", "dark"] as const)("has no fault that axe finds: %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    expect(await axe(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: "light" });
    expect(errors).toEqual([]);
  });
});
