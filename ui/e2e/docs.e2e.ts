// Does the description of the API work in a real browser, as a running kana serves it?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { KANA_URL, launch, NARROW, open, shoot, WIDE } from "./browser.ts";

let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser, "/docs"));
});

afterAll(async () => {
  await browser.close();
});

describe("the description of the API", () => {
  it("shows every operation that the gateway describes", async () => {
    const answer = await page.request.get(`${KANA_URL}/openapi.json`);
    const { paths } = (await answer.json()) as { paths: Record<string, object> };
    await page.getByRole("heading", { name: "kana API" }).waitFor();

    expect(new URL(page.url()).pathname).toBe("/docs/");
    expect(await page.getByRole("article").count()).toBe(
      Object.values(paths).flatMap((operations) => Object.keys(operations)).length,
    );
    await shoot(page, "5-docs");
  });

  it("goes by keyboard from an operation to the schema of its answer", async () => {
    const link = page.locator("#read_job").getByRole("link", { name: "Job", exact: true }).first();
    await link.focus();
    await page.keyboard.press("Enter");

    await page.locator("#schema-Job[open]").waitFor();
    expect(await page.locator("#schema-Job").getByText("attempts").first().isVisible()).toBe(true);
  });

  it("opens at the operation that its address names", async () => {
    await page.goto(`${KANA_URL}/docs/#set_scale`);
    await page.reload();
    await page.locator("#set_scale").waitFor();

    await expect
      .poll(() => page.evaluate(() => document.querySelector("#set_scale")?.getBoundingClientRect().top))
      .toBeLessThan(100);
  });

  it("gives a command line that the gateway answers", async () => {
    const command = await page.locator("#read_status pre").innerText();
    const address = command.split(" ").at(-1) ?? "";

    expect(address).toBe(`${KANA_URL}/v1/status`);
    expect((await page.request.get(address)).status()).toBe(200);
  });

  it("never scrolls sideways on a narrow screen", async () => {
    await page.setViewportSize(NARROW);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    await page.setViewportSize(WIDE);

    expect(width).toBeLessThanOrEqual(NARROW.width);
  });

  it("causes no error in the browser", () => {
    expect(errors).toEqual([]);
  });
});
