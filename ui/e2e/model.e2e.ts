// Does the page say what the model is, as the service's own answer has it?
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readyPods, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { KANA_URL, launch, NARROW, open, shoot, WIDE } from "./browser.ts";

interface Status {
  readonly version: string;
  readonly model: {
    readonly name: string;
    readonly labels: readonly string[];
    readonly licence: string;
    readonly evaluation: readonly { readonly protocol: string }[];
  };
}

let browser: Browser;
let page: Page;
let errors: string[];
let dialog: Locator;
let status: Status;

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
  status = (await (await page.request.get(`${KANA_URL}/v1/status`)).json()) as Status;
  dialog = page.getByRole("dialog", { name: `Model ${status.model.name}` });
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await browser.close();
});

describe("the description of the model", () => {
  it("opens by keyboard and has what its card says", async () => {
    await page.getByRole("button", { name: "Model" }).focus();
    await page.keyboard.press("Enter");
    await dialog.waitFor();

    expect(await dialog.getByRole("listitem").count()).toBe(status.model.labels.length);
    for (const { protocol } of status.model.evaluation) await dialog.getByRole("cell", { name: protocol }).waitFor();
    await dialog.getByText(status.model.licence, { exact: true }).waitFor();
    await dialog.getByText(new RegExp(`^kana ${status.version}, up for`)).waitFor();
    await shoot(page, "8-model");
  });

  it("has links that the service answers", async () => {
    for (const name of ["description of the API", "metrics"]) {
      const address = await dialog.getByRole("link", { name }).getAttribute("href");
      expect((await page.request.get(address ?? "")).status(), name).toBe(200);
    }
  });

  it("fits the width of a phone, and a finger", async () => {
    await page.setViewportSize(NARROW);
    expect(await dialog.evaluate((box) => box.scrollWidth - box.clientWidth)).toBe(0);
    for (const target of await dialog.getByRole("link").or(dialog.getByRole("button")).all()) {
      expect((await target.boundingBox())?.height).toBeGreaterThanOrEqual(43.5);
    }
    await page.setViewportSize(WIDE);
  });

  it.each(["light", "dark"] as const)("has no fault that axe finds: %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await dialog.getByText("Files and their SHA-256").click();
    expect(await axe(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: "light" });
  });

  it("gives the focus back when it is closed", async () => {
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });

    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Model");
    expect(errors).toEqual([]);
  });
});
