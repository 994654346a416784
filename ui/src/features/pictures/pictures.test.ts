import { expect, it } from "vitest";

import { aFailedAnswer } from "../../test/fakes";
import { pictureStore } from "./pictures";

it("reads each picture once, and few at the same time", async () => {
  let [running, most, requests] = [0, 0, 0];
  const store = pictureStore({
    image: async () => {
      requests += 1;
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      return { ok: true, value: new Blob() };
    },
  });
  const jobs = Array.from({ length: 20 }, (_, i) => `job-${i % 10}`);

  const pictures = await Promise.all(jobs.map((job) => store.get(job)));

  expect(pictures.every((picture) => picture instanceof Blob)).toBe(true);
  expect(requests).toBe(10);
  expect(most).toBe(4);
});

it("asks again for a picture that was not there", async () => {
  let isThere = false;
  const store = pictureStore({
    image: () => Promise.resolve(isThere ? { ok: true, value: new Blob() } : aFailedAnswer({ status: 404 })),
  });

  expect(await store.get("job-1")).toBeNull();
  isThere = true;
  expect(await store.get("job-1")).toBeInstanceOf(Blob);
});
