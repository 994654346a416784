// How is the page driven in a real browser against a running kana?
import { defineConfig } from "vitest/config";

/** A cold browser and several deaths and births of pods fit into this, in milliseconds. */
const TEST_TIME_MAX = 120_000;

export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    testTimeout: TEST_TIME_MAX,
    hookTimeout: TEST_TIME_MAX,
    fileParallelism: false,
  },
});
