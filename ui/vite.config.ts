// How is the page built, and whom does it talk to while it is written?
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { mock } from "./mock/plugin.ts";

/** The running kana that `npm run dev` talks to. */
const KANA_URL = process.env.KANA_URL ?? "http://127.0.0.1:8080";

/** The server's own roots; everything else is the page. */
const API = ["/v1", "/openapi.json", "/docs", "/metrics", "/livez", "/readyz"];

/** Far beyond any test's own time, for machines that have much else to do; in milliseconds. */
const TEST_TIME_MAX = 30_000;

export default defineConfig(({ mode }) => ({
  plugins: [react(), ...(mode === "mock" ? [mock()] : [])],
  build: {
    target: "es2022",
    // The page is served under `default-src 'self'`: nothing may travel as a data: address or an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // The gateway refuses requests of foreign origins, so the proxied ones must name its own.
    proxy: Object.fromEntries(
      (mode === "mock" ? [] : API).map((root) => [
        root,
        { target: KANA_URL, changeOrigin: true, headers: { origin: KANA_URL } },
      ]),
    ),
  },
  test: {
    testTimeout: TEST_TIME_MAX,
    // What is pure needs no document, and starts ten times as fast without one.
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
