// How are the pages built, and which kana do they talk to during development?
import { readFile } from "node:fs/promises";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

import { mock } from "./mock/plugin.ts";

/** Address of the running kana that `npm run dev` talks to. */
const KANA_URL = process.env.KANA_URL ?? "http://127.0.0.1:8080";

/** Paths that the gateway answers; everything else belongs to the pages. */
const API = ["/v1", "/openapi.json", "/metrics", "/livez", "/readyz"];

/** Packages of the fonts, each with the text of its licence. */
const FONTS = ["@fontsource-variable/inter", "@fontsource/zen-kaku-gothic-new", "@fontsource/biz-udmincho"];

/** Puts the licences of the fonts beside them, as these ask for. */
function licences(): Plugin {
  return {
    name: "kana-licences",
    async generateBundle() {
      for (const font of FONTS) {
        const source = await readFile(new URL(`node_modules/${font}/LICENSE`, import.meta.url));
        this.emitFile({ type: "asset", fileName: `assets/OFL-${font.split("/").at(-1) ?? ""}.txt`, source });
      }
    },
  };
}

/** Longest time of a test, in milliseconds: far more than any needs, for machines under load. */
const TEST_TIME_MAX = 30_000;

export default defineConfig(({ mode }) => ({
  // Relative addresses, so that a proxy may serve the pages under a path.
  base: "./",
  plugins: [react(), licences(), ...(mode === "mock" ? [mock()] : [])],
  build: {
    target: "es2022",
    rolldownOptions: { input: { page: "index.html", docs: "docs/index.html" } },
    // The pages are served under `default-src 'self'`: nothing may be a data: URL or an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // The gateway refuses requests of foreign origins, so the proxied ones must name its origin.
    proxy: Object.fromEntries(
      (mode === "mock" ? [] : API).map((root) => [
        root,
        { target: KANA_URL, changeOrigin: true, headers: { origin: KANA_URL } },
      ]),
    ),
  },
  test: {
    testTimeout: TEST_TIME_MAX,
    // Pure code needs no document, and its tests start ten times as fast without one.
    projects: [
      { extends: true, test: { name: "pure", include: ["src/**/*.test.ts"], environment: "node" } },
      {
        extends: true,
        test: {
          name: "page",
          include: ["src/**/*.test.tsx"],
          environment: "jsdom",
          setupFiles: ["src/test/setup.ts"],
          unstubGlobals: true,
        },
      },
    ],
  },
}));
