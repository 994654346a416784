// Does the page stay usable when thousands of files are given at once?
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { receiptOf, readyPods, results, SHOWS_WITHIN } from "./actions.ts";
import { launch, open } from "./browser.ts";
import { pictures } from "./pictures.ts";

const FILES = 3_000;
/**
 * Longest task on the main thread, as a share of the time that the browser itself needs to hand over the files. It is 26 ms
 * of some 500 on a machine that does little else, and half of it where others take most of the time; a page that works
 * through all files at once takes several times as long as the browser.
 */
const TASK_SHARE_MAX = 1;
/** Most elements of the page, however many results it has. */
const ELEMENTS_MAX = 3_000;

let browser: Browser;
let page: Page;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kana-files-"));
  for (const part of ["a", "b"]) {
    await mkdir(join(folder, part));
    for (const { name, buffer } of pictures(FILES / 2, "file")) await writeFile(join(folder, part, name), buffer);
  }
  await writeFile(join(folder, "a", ".hidden.png"), "not an image");
  browser = await launch();
  ({ page } = await open(browser, "/", undefined, watchTasks));
  page.setDefaultTimeout(SHOWS_WITHIN);
  await readyPods(page).first().waitFor();
});

afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

describe("a folder of 3,000 images", () => {
  it("is one run, whose equal names in different folders stay apart", async () => {
    await page.evaluate(() => {
      (window as unknown as Watched).given = performance.now();
    });
    await page.getByLabel("Folder of images to classify").setInputFiles(folder);

    const { done, failed } = await receiptOf(page, FILES);

    expect(done + failed).toBe(FILES);
    expect(await page.getByRole("heading", { level: 3 }).count()).toBe(1);
    expect(await page.getByText(/rejected/).count()).toBe(0);
  });

  it("keeps the main thread free", async () => {
    const { handover, tasks } = await watchedIn(page);
    const longest = Math.max(0, ...tasks);
    // One line for whoever compares versions.
    console.info(`long tasks: ${tasks.length}, longest ${longest.toFixed(0)} ms; handover ${handover.toFixed(0)} ms`);

    expect(longest / handover).toBeLessThanOrEqual(TASK_SHARE_MAX);
  });

  it("has elements only for the results on the screen, wherever the list is scrolled", async () => {
    const first = results(page).first();
    const before = await first.innerText();
    await page.mouse.move(800, 400);
    for (let i = 0; i < 20; i += 1) await page.mouse.wheel(0, 2_000);

    await expect.poll(() => first.innerText()).not.toBe(before);
    expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThanOrEqual(ELEMENTS_MAX);
  });
});

/** What the page keeps for this test. */
interface Watched {
  /** Time at which the test gave the files to the browser. */
  given: number;
  /** Time at which the browser handed over the files. */
  handed: number;
  tasks: { readonly begin: number; readonly duration: number }[];
}

/** Returns how long the browser took to hand over the files, and the tasks that came of them, in milliseconds. */
function watchedIn(page: Page): Promise<{ handover: number; tasks: number[] }> {
  return page.evaluate(() => {
    const { handed, given, tasks } = window as unknown as Watched;
    const durations = (kept: Watched["tasks"]) => kept.map(({ duration }) => duration);
    return {
      handover: Math.max(0, ...durations(tasks.filter(({ begin }) => begin >= given && begin < handed))),
      tasks: durations(tasks.filter(({ begin }) => begin >= handed)),
    };
  });
}

/**
 * Runs in the page: keeps its long tasks. The browser itself takes half a second to hand over 3,000 files, before the page
 * hears of them; of that task only what comes after counts.
 */
function watchTasks(): void {
  const watched = window as unknown as Watched;
  watched.tasks = [];
  const afterwards = new MessageChannel();
  afterwards.port1.onmessage = () => {
    watched.tasks.push({ begin: watched.handed, duration: performance.now() - watched.handed });
  };
  const change = () => {
    watched.handed = performance.now();
    afterwards.port2.postMessage(null);
  };
  window.addEventListener("change", change, { capture: true });
  new PerformanceObserver((list) => {
    watched.tasks.push(...list.getEntries().map(({ startTime, duration }) => ({ begin: startTime, duration })));
  }).observe({ type: "longtask", buffered: true });
}
