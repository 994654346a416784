// How does a test open a page in a real browser, and what does it record?
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { chromium, type Browser, type Page } from "playwright-core";

/** Address of the running kana under test. */
export const KANA_URL = process.env.KANA_URL ?? "http://127.0.0.1:8080";
/** Address of a kana with one slow worker, whose images become dead letters when it is killed. */
export const SLOW_URL = process.env.KANA_SLOW_URL;
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

export const WIDE = { width: 1280, height: 720 };
export const NARROW = { width: 390, height: 844 };
/** Sizes of the screenshots, by name. */
const SIZES = {
  "1280": WIDE,
  "1440": { width: 1440, height: 900 },
  "1920": { width: 1920, height: 1080 },
  phone: NARROW,
};

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

export interface Opened {
  readonly page: Page;
  /** Every error that the browser reported, violations of the content policy included. */
  readonly errors: string[];
}

/** Where the page keeps which runs a person removed from it. */
const REMOVED_KEY = "kana.removed";

/**
 * Opens a page of the kana under test and records its errors, as a person who has removed all earlier runs; `before` runs in
 * the page before its own code.
 */
export async function open(browser: Browser, path = "/", root = KANA_URL, before?: () => void): Promise<Opened> {
  const page = await browser.newPage({ viewport: WIDE, reducedMotion: "reduce" });
  if (before) await page.addInitScript(before);
  const listed = await fetch(`${root.replace(/\/$/, "")}/v1/batches?limit=50`);
  const earlier = listed.ok ? ((await listed.json()) as { batch: string }[]) : [];
  await page.addInitScript(
    ({ key, removed }) => {
      if (localStorage.getItem(key) === null) localStorage.setItem(key, removed);
    },
    { key: REMOVED_KEY, removed: JSON.stringify(earlier.map(({ batch }) => batch)) },
  );
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(root.replace(/\/$/, "") + path);
  return { page, errors };
}

/** Takes screenshots of the page: four sizes, light and dark. */
export async function shoot(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return;
  await mkdir(SHOTS, { recursive: true });
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(SHOTS, `${name}-${size}-${colorScheme}.png`), fullPage: size === "phone" });
    }
  }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light" });
}
