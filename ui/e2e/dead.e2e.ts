// Can an operator replay and drop dead letters?
//
// The mock stands in for the service: there, every 17th image fails for good, which no image does to a real one at will.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createServer, type ViteDevServer } from "vite";

import { choosePictures, readyPods, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { launch, NARROW, open, shoot, WIDE } from "./browser.ts";

const TOUCH_MIN = 44;

let server: ViteDevServer;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  server = await createServer({ mode: "mock", server: { host: "127.0.0.1", port: 0 } });
  await server.listen();
  browser = await launch();
  ({ page } = await open(browser, "/", server.resolvedUrls?.local[0]));
  page.setDefaultTimeout(SHOWS_WITHIN);
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

describe("dead letters", () => {
  it("are absent where there are none, and then counted", async () => {
    const button = page.getByRole("button", { name: /dead letter/ });
    expect(await button.count()).toBe(0);
    await choosePictures(page, 34, "dead");

    await page.getByRole("button", { name: "2 dead letters" }).click();
    await page.getByRole("dialog", { name: "Dead letters" }).getByRole("listitem").nth(1).waitFor();
    await shoot(page, "11-dead");
  });

  it.each([WIDE, NARROW])("have no fault that axe finds at $width px, and room for fingers", async (size) => {
    await page.setViewportSize(size);
    if (size === NARROW) {
      for (const target of await page.getByRole("dialog").getByRole("button").all()) {
        expect((await target.boundingBox())?.height).toBeGreaterThanOrEqual(TOUCH_MIN - 0.5);
      }
    }

    expect(await axe(page)).toEqual([]);
    await page.setViewportSize(WIDE);
  });

  it("are dropped and replayed until none is left, and then the button goes", async () => {
    const dialog = page.getByRole("dialog", { name: "Dead letters" });
    await dialog
      .getByRole("button", { name: /^Drop dead_/ })
      .first()
      .click();
    await expect.poll(() => dialog.getByRole("listitem").count()).toBe(1);
    await dialog.getByRole("button", { name: "Replay all" }).click();
    await dialog.getByText("No dead letters are left.").waitFor();

    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /dead letter/ }).waitFor({ state: "detached" });
  });
});
