// Does the page work in a real browser against a running kana?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { launch, open, shoot } from "./browser.ts";
import { pictures } from "./pictures.ts";

/** Longest wait for anything to appear, in milliseconds: a slow engine and the start of a pod included. */
const SHOWS_WITHIN = 45_000;
const READY = '[data-pod][data-phase="ready"]';

let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  browser = await launch();
  ({ page, errors } = await open(browser));
  page.setDefaultTimeout(SHOWS_WITHIN);
});

afterAll(async () => {
  await browser.close();
});

describe("the page", () => {
  it("shows a ready pod and the model", async () => {
    await page.locator(READY).first().waitFor();
    await page.getByText("images classified correctly").waitFor();

    expect(await page.getByRole("heading", { name: "kana" }).isVisible()).toBe(true);
    await shoot(page, "1-empty");
  });

  it("shows label, confidence and pod of every image sent", async () => {
    await choose(8, "eight");

    const receipt = await receiptOf(8);

    expect(receipt.done + receipt.failed).toBe(8);
    const done = page.locator('[data-state="done"]');
    expect(await done.count()).toBe(receipt.done);
    expect(await done.first().locator(".result-label").innerText()).not.toBe("");
    expect(await done.first().locator(".result-confidence").innerText()).toMatch(/%/);
    expect(await done.first().getAttribute("data-worker")).not.toBe("");
    await shoot(page, "2-results");
  });

  it("names the file that is not an image and accepts the others", async () => {
    const broken = { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("not an image") };
    await page.locator("input[type=file]").setInputFiles([...pictures(2, "beside"), broken]);

    const receipt = await receiptOf(2);

    expect(receipt.done + receipt.failed).toBe(2);
    expect(await page.getByText("broken.png").isVisible()).toBe(true);
  });

  it("accepts images that are dropped on it", async () => {
    await drop("dropped.png");

    const receipt = await receiptOf(1);

    expect(receipt.done + receipt.failed).toBe(1);
  });

  it("loses nothing when a click kills a pod, and shows its end and the start of its replacement", async () => {
    const before = await names();
    await choose(40, "many");
    const victim = page.locator(READY).first();
    const name = (await victim.getAttribute("data-pod")) ?? "";
    await victim.click();

    await page.locator(`[data-pod="${name}"][data-phase="gone"]`).waitFor();
    await shoot(page, "3-killed");
    await page.waitForFunction(
      ({ ready, before }) =>
        [...document.querySelectorAll(ready)].some((pod) => !before.includes(pod.getAttribute("data-pod") ?? "")),
      { ready: READY, before },
    );
    const receipt = await receiptOf(40);

    expect(receipt.done + receipt.failed).toBe(40);
    expect(await page.locator(".console-line").count()).toBeGreaterThan(0);
    await shoot(page, "4-replaced");
  });

  it("raises and lowers the maximum", async () => {
    const max = page.getByLabel("Max", { exact: true });
    const before = Number(await max.inputValue());
    for (const [button, after] of [
      ["Raise max", before + 1],
      ["Lower max", before],
    ] as const) {
      const answered = page.waitForResponse((response) => response.url().endsWith("/v1/scale"));
      await page.getByRole("button", { name: button }).click();

      expect((await answered).status()).toBe(200);
      await expect.poll(() => max.inputValue()).toBe(String(after));
    }
  });

  it("causes no error in the browser", () => {
    expect(errors).toEqual([]);
  });
});

function choose(amount: number, prefix: string): Promise<void> {
  return page.locator("input[type=file]").setInputFiles(pictures(amount, prefix));
}

async function names(): Promise<string[]> {
  const pods = await page.locator("[data-pod]").all();
  return Promise.all(pods.map(async (pod) => (await pod.getAttribute("data-pod")) ?? ""));
}

/** Waits until the newest batch, of `accepted` images, has every outcome. */
async function receiptOf(accepted: number): Promise<{ done: number; failed: number }> {
  const text = new RegExp(`^${accepted} accepted = (\\d+) done \\+ (\\d+) failed(?! \\+)`);
  const line = page.locator('[data-testid="receipt"][data-open="false"]').filter({ hasText: text }).first();
  const [, done, failed] = text.exec(await line.innerText()) ?? [];
  return { done: Number(done), failed: Number(failed) };
}

async function drop(name: string): Promise<void> {
  const [picture] = pictures(1, "dropped");
  const bytes = [...(picture?.buffer ?? [])];
  await page.evaluate(
    ({ name, bytes }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
      for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
      }
    },
    { name, bytes },
  );
}
