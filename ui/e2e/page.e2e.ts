// Does the page do what a person would try, in a real browser against a running kana?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choose, choosePictures, killButton, nameOf, readyPods, receiptOf, results, SHOWS_WITHIN } from "./actions.ts";
import { launch, open, shoot } from "./browser.ts";
import { pictures } from "./pictures.ts";

/** Longer than the page waits before it sends a range, in milliseconds. */
const RANGE_SENT_AFTER = 1_000;

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
    await readyPods(page).first().waitFor();
    await page.getByText("images classified correctly").waitFor();

    expect(await page.getByRole("heading", { name: "kana", exact: true }).isVisible()).toBe(true);
    await shoot(page, "1-empty");
  });

  it("shows label, confidence and pod of every image sent", async () => {
    await choosePictures(page, 8, "eight");

    const receipt = await receiptOf(page, 8);

    expect(receipt.done + receipt.failed).toBe(8);
    const first = page.getByRole("button", { name: /eight_0\.png/ });
    expect(await first.innerText()).toMatch(/\d+\.\d %|blank/);
    expect(await results(page).count()).toBe(8);
    await shoot(page, "2-results");
  });

  it("opens a result: the most probable classes, its pod, and its JSON", async () => {
    await page.getByRole("button", { name: /eight_0\.png/ }).click();
    const dialog = page.getByRole("dialog", { name: "eight_0.png" });

    await dialog.getByText(/^kana-worker-/).waitFor();
    expect(await dialog.getByRole("row").count()).toBe(5);
    await dialog.getByText("As JSON").click();
    expect(await dialog.getByLabel("JSON", { exact: true }).inputValue()).toContain('"probabilities"');
    await shoot(page, "3-detail");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
  });

  it("sends the same image again from its details", async () => {
    await page.getByRole("button", { name: /eight_1\.png/ }).click();
    await page.getByRole("button", { name: "Send again" }).click();

    const receipt = await receiptOf(page, 1);

    expect(receipt.done + receipt.failed).toBe(1);
  });

  it("names the file that is not an image and accepts the others", async () => {
    const broken = { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("not an image") };
    await choose(page, [...pictures(2, "beside"), broken]);

    const receipt = await receiptOf(page, 2);

    expect(receipt.done + receipt.failed).toBe(2);
    expect(await page.getByText("broken.png").isVisible()).toBe(true);
  });

  it("names the only file where that is refused, and says it once", async () => {
    await choose(page, [{ name: "alone.png", mimeType: "image/png", buffer: Buffer.from("not an image") }]);

    await page.getByText("alone.png not accepted").waitFor();

    const said = await page.getByRole("region", { name: "Images" }).innerText();
    expect(said.match(/not an image|is no image/g)?.length ?? 0).toBeLessThanOrEqual(1);
    await page.getByRole("button", { name: "Dismiss" }).click();
  });

  it("accepts images that are dropped on it or pasted", async () => {
    await give(page, "drop", "dropped.png");
    expect(await receiptOf(page, 1)).toEqual({ done: 1, failed: 0 });
    await page.getByRole("button", { name: /dropped\.png/ }).waitFor();

    await give(page, "paste", "pasted.png");
    await page.getByRole("button", { name: /pasted\.png/ }).waitFor();
  });

  it("opens a pod's details on a double click on its name, and kills nothing", async () => {
    const pod = readyPods(page).first();
    const name = await nameOf(pod);
    await page.getByRole("button", { name: new RegExp(`^Details of ${name}`) }).dblclick();

    await page.getByRole("dialog", { name }).waitFor();
    await page.getByRole("dialog", { name }).getByText("ready", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
    expect(await page.getByRole("article", { name: `Pod ${name}, ready` }).isVisible()).toBe(true);
  });

  it("loses nothing when a click kills a pod, and shows its end and the start of its replacement", async () => {
    const before = await Promise.all((await readyPods(page).all()).map(nameOf));
    const [name = ""] = before;
    await choosePictures(page, 40, "many");
    await killButton(page, name).click();

    await page.getByRole("article", { name: `Pod ${name}, killed` }).waitFor();
    await shoot(page, "4-killed");
    const after = async () => Promise.all((await readyPods(page).all()).map(nameOf));
    await expect
      .poll(async () => (await after()).some((pod) => !before.includes(pod)), { timeout: SHOWS_WITHIN })
      .toBe(true);
    const receipt = await receiptOf(page, 40);

    expect(receipt.done + receipt.failed).toBe(40);
    expect(await page.getByRole("log", { name: "Commands" }).innerText()).toContain(name);
    await shoot(page, "5-replaced");
  });

  it("kills a pod by keyboard and keeps the focus among the pods", async () => {
    const name = await nameOf(readyPods(page).first());
    await killButton(page, name).focus();
    await page.keyboard.press("Enter");

    await page.getByRole("article", { name: `Pod ${name}, killed` }).waitFor();
    await page.getByRole("article", { name: `Pod ${name}, killed` }).waitFor({ state: "detached" });

    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
    await expect.poll(focused).toMatch(/^Kill /);
    expect(await focused()).not.toBe(`Kill ${name}`);
  });

  it("raises and lowers the maximum", async () => {
    const max = page.getByRole("textbox", { name: "Max" });
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

  it("sends a typed number once it is whole, and shows the request as a command", async () => {
    const sent: (string | null)[] = [];
    page.on("request", (request) => {
      if (request.method() === "PUT") sent.push(request.postData());
    });
    const max = page.getByRole("textbox", { name: "Max" });
    const before = await max.inputValue();

    await max.click();
    await max.press("ControlOrMeta+a");
    await max.press("1");
    await page.waitForTimeout(RANGE_SENT_AFTER);
    expect(sent).toEqual([]);
    await max.press("0");
    await page.waitForTimeout(RANGE_SENT_AFTER);
    expect(sent).toEqual([]);
    await max.press("Enter");

    await expect.poll(() => sent).toEqual(['{"min":2,"max":10}']);
    await page
      .getByText(/^\$ curl -X PUT .*\/v1\/scale .*"max":10/)
      .first()
      .waitFor();

    await max.press("ControlOrMeta+a");
    await max.press("3");
    await max.press("Escape");
    expect(await max.inputValue()).toBe("10");
    await max.fill(before);
    await max.press("Tab");
    await expect.poll(() => sent.at(-1)).toBe(`{"min":2,"max":${before}}`);
    expect(sent).toHaveLength(2);
  });

  it("removes a pod of a planned scale-down in grey", async () => {
    await page.getByRole("button", { name: "Raise min" }).click();
    await expect.poll(() => readyPods(page).count(), { timeout: SHOWS_WITHIN }).toBeGreaterThanOrEqual(3);
    await page.getByRole("button", { name: "Lower min" }).click();
    await page.getByRole("textbox", { name: "Max" }).fill("2");
    await page.getByRole("textbox", { name: "Max" }).press("Enter");

    const gone = page.getByRole("article", { name: /, scaled down$/ }).first();
    await gone.waitFor();
    const [red, green] = await gone.evaluate((pod) => {
      const [r = 0, g = 0] = (getComputedStyle(pod).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
      return [r, g] as const;
    });
    expect(Math.abs(red - green)).toBeLessThan(8);
    await page.getByRole("textbox", { name: "Max" }).fill("4");
    await page.getByRole("textbox", { name: "Max" }).press("Enter");
  });

  it("causes no error in the browser", () => {
    // The refusal of a file that is no image is an answer 422, which the browser lists.
    expect(errors.filter((error) => !error.includes("422"))).toEqual([]);
  });
});

/** Gives a picture by drag and drop or from the clipboard. */
async function give(page: Page, how: "drop" | "paste", name: string): Promise<void> {
  const [picture] = pictures(1, "given");
  const bytes = [...(picture?.buffer ?? [])];
  await page.evaluate(
    ({ how, name, bytes }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
      const init = { bubbles: true, cancelable: true };
      if (how === "paste") {
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, ...init }));
        return;
      }
      for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, ...init }));
      }
    },
    { how, name, bytes },
  );
}
