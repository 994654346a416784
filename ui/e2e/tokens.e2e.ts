// Does a person with a token see what it allows, and why not the rest?
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { choosePictures, killButton, nameOf, readyPods, receiptOf, SHOWS_WITHIN } from "./actions.ts";
import { launch, open } from "./browser.ts";

/** Address of a kana that needs a token: `reader`, `sender` or `operator`, each with the scopes of those before. */
const TOKENS_URL = process.env.KANA_TOKENS_URL;

describe.runIf(TOKENS_URL !== undefined)("with tokens", () => {
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await launch();
    ({ page } = await open(browser, "/", TOKENS_URL));
    page.setDefaultTimeout(SHOWS_WITHIN);
  });

  afterAll(async () => {
    await browser.close();
  });

  it("a wrong one is said to be wrong, and the next key replaces it", async () => {
    await signIn("wrong");

    await page.getByRole("alert").getByText("The service does not accept this token.").waitFor();
    const field = page.getByLabel(/asks for a token/);
    expect(await field.inputValue()).toBe("wrong");
    await page.keyboard.type("reader");
    expect(await field.inputValue()).toBe("reader");
    await page.keyboard.press("Enter");
    await readyPods(page).first().waitFor();
  });

  it("one that may only read disables the rest after the first refusal, and says why", async () => {
    await choosePictures(page, 1, "refused");
    await page.getByText("This token may not send images: it lacks the scope submit.").waitFor();
    expect(await page.getByRole("button", { name: "Choose images" }).isDisabled()).toBe(true);

    await page.getByRole("button", { name: "Raise max" }).click();
    await page
      .getByText(/it lacks the scope operate/)
      .first()
      .waitFor();
    expect(await page.getByRole("textbox", { name: "Max" }).isDisabled()).toBe(true);
    const pod = readyPods(page).first();
    expect(await killButton(page, await nameOf(pod)).getAttribute("aria-disabled")).toBe("true");
  });

  it("one that may send images sends them", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn("sender");
    await readyPods(page).first().waitFor();
    await choosePictures(page, 2, "sent");

    expect((await receiptOf(page, 2)).failed).toBe(0);
  });

  it("one that may operate kills a pod", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn("operator");
    const name = await nameOf(readyPods(page).first());
    await killButton(page, name).click();

    await page.getByRole("article", { name: `Pod ${name}, killed` }).waitFor();
  });

  it("none is in the address, and a closed tab forgets it", async () => {
    expect(page.url()).not.toContain("operator");
    const other = await open(browser, "/", TOKENS_URL);

    await other.page.getByLabel(/asks for a token/).waitFor();
  });

  async function signIn(token: string): Promise<void> {
    await page.getByLabel(/asks for a token/).fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
  }
});
