// How do the tests in a real browser run against a running kana?
import { defineConfig } from "vitest/config";

/** Longest time of a test, in milliseconds: enough for a cold browser and several restarts of pods. */
const TEST_TIME_MAX = 120_000;

export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    testTimeout: TEST_TIME_MAX,
    hookTimeout: TEST_TIME_MAX,
    fileParallelism: false,
  },
});
