import { fireEvent, render, screen } from "@testing-library/react";
import { readFile } from "node:fs/promises";
import { afterEach, expect, it } from "vitest";

import { setTheme, themeOf } from "./theme";
import { ThemeMenu } from "./ThemeMenu";

afterEach(() => {
  setTheme("system");
});

it("gives the page the colours that are chosen", async () => {
  render(<ThemeMenu />);
  fireEvent.click(screen.getByRole("button", { name: "Theme" }));
  fireEvent.click(await screen.findByRole("menuitemradio", { name: "Dark" }));

  expect(document.documentElement.dataset.theme).toBe("dark");
});

it("is kept for the next visit, by the script that runs before the page is drawn", async () => {
  const script = await readFile("public/theme.js", "utf8");
  const visit = () => {
    delete document.documentElement.dataset.theme;
    window.eval(script);
    return themeOf();
  };

  setTheme("light");
  expect(visit()).toBe("light");
  setTheme("system");
  expect(visit()).toBe("system");
});
