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
/** Longest task on the main thread, in milliseconds. */
const TASK_MAX = 100;
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
    await page.getByLabel("Folder of images to classify").setInputFiles(folder);

    const { done, failed } = await receiptOf(page, FILES);

    expect(done + failed).toBe(FILES);
    expect(await page.getByRole("heading", { level: 3 }).count()).toBe(1);
    expect(await page.getByText(/rejected/).count()).toBe(0);
  });

  it("keeps the main thread free", async () => {
    const tasks = await tasksOf(page);
    // One line for whoever compares versions.
    console.info(`long tasks: ${tasks.length}, longest ${Math.round(Math.max(0, ...tasks))} ms`);

    expect(Math.max(0, ...tasks)).toBeLessThanOrEqual(TASK_MAX);
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
  /** Time at which the browser handed over the files. */
  handed: number;
  tasks: { readonly begin: number; readonly duration: number }[];
}

/** Returns the durations of the tasks that came of the files, in milliseconds. */
function tasksOf(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const { handed, tasks } = window as unknown as Watched;
    return tasks.filter(({ begin }) => begin >= handed).map(({ duration }) => duration);
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
