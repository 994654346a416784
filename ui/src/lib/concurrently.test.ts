import { expect, it } from "vitest";

import { concurrently } from "./concurrently";

it("works on so many items at once and no more, and keeps their order", async () => {
  let [now, most] = [0, 0];

  const doubled = await concurrently([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    now += 1;
    most = Math.max(most, now);
    // The first item is the last of its three to end.
    for (let i = 0; i < 8 - item; i += 1) await Promise.resolve();
    now -= 1;
    return item * 2;
  });

  expect(doubled).toEqual([2, 4, 6, 8, 10, 12, 14]);
  expect(most).toBe(3);
});
