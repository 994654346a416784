// Which colours does the page have: those of the system, or those that the person has chosen?
//
// `public/theme.js` sets a stored choice before the page is drawn.

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "kana.theme";

/** Returns the theme of the page. */
export function themeOf(root: HTMLElement = document.documentElement): Theme {
  return THEMES.find((theme) => theme === root.dataset.theme) ?? "system";
}

/** Gives the page a theme and keeps it for the next visit. */
export function setTheme(theme: Theme, root: HTMLElement = document.documentElement): void {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // A browser may forbid storage; the choice then lasts until the page is closed.
  }
}
