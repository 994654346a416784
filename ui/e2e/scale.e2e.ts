// Does the page say who decides the number of pods, and why, as the service has it?
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readyPods, SHOWS_WITHIN } from "./actions.ts";
import { axe } from "./axe.ts";
import { KANA_URL, launch, open, shoot, WIDE } from "./browser.ts";

/** Screen on which one of the texts takes one line and another takes two. */
const LARGE = { width: 1920, height: 1080 };

interface Range {
  readonly min: number;
  readonly max: number;
}

let browser: Browser;
let page: Page;
let errors: string[];
let panel: Locator;
let before: Range;

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
  const { min, max } = (await (await page.request.get(`${KANA_URL}/v1/scale`)).json()) as Range;
  before = { min, max };
  panel = page.getByRole("region", { name: "Scale" });
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await setRange(before);
  await browser.close();
});

describe("the scale", () => {
  it("says when the number is the only one allowed, and how many are to come", async () => {
    await setRange({ min: 3, max: 3 });

    await panel.getByText(/^kana scales by backlog → 3, the only number allowed/).waitFor();
    await panel.getByText("kana scales by backlog → 3, the only number allowed", { exact: true }).waitFor();
    await panel.getByText("3 running", { exact: true }).waitFor();
  });

  it("follows the range, as far as the service says", async () => {
    await setRange({ min: 3, max: 5 });
    await panel.getByText("kana scales by backlog → 3, the least allowed", { exact: true }).waitFor();

    await setRange({ min: 2, max: 5 });
    await panel.getByText(/^kana scales by backlog → (3, within 2 to 5|2, the least allowed)/).waitFor();
    await shoot(page, "9-scale");
  });

  it("keeps its height, whatever it says", async () => {
    await page.setViewportSize(LARGE);
    await setRange({ min: 3, max: 5 });
    const height = async (text: RegExp) => {
      await panel.getByText(text).waitFor();
      const lines = await panel.getByText(text).evaluate((note) => {
        const range = document.createRange();
        range.selectNodeContents(note);
        return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
      });
      return { lines, height: (await panel.boundingBox())?.height };
    };
    const short = await height(/→ 3, the least allowed$/);
    await setRange({ min: 4, max: 4 });
    const long = await height(/→ 4, the only number allowed/);

    expect([short.lines, long.lines]).toEqual([1, 2]);
    expect(long.height).toBe(short.height);
    await page.setViewportSize(WIDE);
    expect(await axe(page)).toEqual([]);
    expect(errors).toEqual([]);
  });
});

async function setRange({ min, max }: Range): Promise<void> {
  const answer = await page.request.put(`${KANA_URL}/v1/scale`, { data: { min, max } });
  expect(answer.status()).toBe(200);
}
