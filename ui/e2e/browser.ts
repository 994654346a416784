// How does a test open a page in a real browser, and what does it record?
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { chromium, type Browser, type Page } from "playwright-core";

/** Address of the running kana under test. */
export const KANA_URL = process.env.KANA_URL ?? "http://127.0.0.1:8080";
/** Folder for screenshots; none are taken without it. */
const SHOTS = process.env.KANA_SHOTS;
const CHROMIUM = process.env.KANA_CHROMIUM ?? "/usr/bin/chromium";
/** Flags that keep the browser from connecting to anything but the server under test. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const WIDE = { width: 1360, height: 900 };
export const NARROW = { width: 390, height: 844 };

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

export interface Opened {
  readonly page: Page;
  /** Every error that the browser reported, violations of the content policy included. */
  readonly errors: string[];
}

/** Opens a page of the kana under test and records its errors. */
export async function open(browser: Browser, path = "/", root = KANA_URL): Promise<Opened> {
  const page = await browser.newPage({ viewport: WIDE, reducedMotion: "reduce" });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(root.replace(/\/$/, "") + path);
  return { page, errors };
}

/** Takes screenshots of the page: wide and narrow, light and dark. */
export async function shoot(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return;
  await mkdir(SHOTS, { recursive: true });
  for (const [width, viewport] of [
    ["wide", WIDE],
    ["narrow", NARROW],
  ] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(SHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: width === "narrow" });
    }
  }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light" });
}
