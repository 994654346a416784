import { expect, it } from "vitest";

import { age, count, percent, rate, shortName, size, span, withSizes } from "./format";

it("never rounds a confidence up to 100 %", () => {
  expect([0, 0.5, 0.9987, 0.99999, 1].map(percent)).toEqual(["0.0 %", "50.0 %", "99.8 %", "99.9 %", "100.0 %"]);
});

it("writes durations with two or three significant digits", () => {
  expect([0.053, 1.72, 38.4, 1_320, 125_000].map(span)).toEqual(["0.05 ms", "1.7 ms", "38 ms", "1.32 s", "2 min 5 s"]);
});

it("writes ages in their largest unit, and 0 s for an age below zero", () => {
  expect([-5_000, 12_900, 200_000, 7_200_000, 200_000_000].map(age)).toEqual(["0 s", "12 s", "3 min", "2 h", "2 d"]);
});

it("writes counts with separators and rates with one decimal while small", () => {
  expect([count(12_345)]).toEqual(["12,345"]);
  expect([0, 7.94, 1_234.5].map(rate)).toEqual(["0.0", "7.9", "1,235"]);
});

it("shortens a pod's name to its last part", () => {
  expect(["kana-worker-bxpxp-vll8d", "solo", "odd-"].map(shortName)).toEqual(["vll8d", "solo", "odd-"]);
});

it("writes sizes for people, also those in messages of the service", () => {
  expect([size(400), size(12_288), size(33_554_432), size(1_572_864)]).toEqual(["0.4 KB", "12 KB", "32 MB", "1.5 MB"]);
  expect(withSizes("the file is longer than 33554432 bytes")).toBe("the file is longer than 32 MB");
});
