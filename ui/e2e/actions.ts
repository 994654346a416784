// What does a person do on the page, and what do they read from it?
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

import { pictures, type Picture } from "./pictures.ts";

/** Longest wait for anything to appear, in milliseconds: a slow engine and the start of a pod included. */
export const SHOWS_WITHIN = 45_000;

/** Pods that take work. */
export function readyPods(page: Page): Locator {
  return page.getByRole("article", { name: /^Pod .+, ready$/ });
}

/** Returns the pod's whole name. */
export async function nameOf(pod: Locator): Promise<string> {
  const label = (await pod.getAttribute("aria-label")) ?? "";
  return /^Pod (.+), \w/.exec(label)?.[1] ?? "";
}

export function killButton(page: Page, name: string): Locator {
  return page.getByRole("button", { name: `Kill ${name}` });
}

/** Chooses files as the dialog of the system does. */
export function choose(page: Page, files: Picture[]): Promise<void> {
  return page.getByLabel("Images to classify", { exact: true }).setInputFiles(files);
}

export function choosePictures(page: Page, amount: number, prefix: string): Promise<void> {
  return choose(page, pictures(amount, prefix));
}

/** Waits until the newest run, of `accepted` images, has every outcome. */
export async function receiptOf(page: Page, accepted: number): Promise<{ done: number; failed: number }> {
  const number = accepted.toLocaleString("en");
  const text = new RegExp(`^${number} accepted = ([\\d,]+) done \\+ ([\\d,]+) failed(?! \\+)`);
  const heading = page.getByRole("heading", { level: 3 }).first();
  await expect.poll(() => heading.innerText(), { timeout: SHOWS_WITHIN * 2 }).toMatch(text);
  const [, done = "", failed = ""] = text.exec(await heading.innerText()) ?? [];
  const valueOf = (digits: string) => Number(digits.replaceAll(",", ""));
  return { done: valueOf(done), failed: valueOf(failed) };
}

/** Results on the screen, whichever state they are in. */
export function results(page: Page): Locator {
  return page.getByRole("region", { name: "Results" }).getByRole("listitem");
}
