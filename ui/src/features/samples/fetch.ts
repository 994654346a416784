// Where do samples come from?
import type { Api, NamedFile } from "../../api/client";
import type { Answer } from "../../api/problem";
import { concurrently } from "../../lib/concurrently";

/** Different samples that the service draws; further ones are these again. */
const SAMPLES = 1_000;
/** Requests made at once; a browser makes six to one host, and the page's own need some of them. */
const REQUESTS_MAX = 4;

/** Samples by number, so that each is requested once. */
export type Cache = Map<number, Blob>;

/** Returns `amount` samples from the number `first` on, or the problem of one of them. */
export async function samplesFrom(
  api: Api,
  cache: Cache,
  first: number,
  amount: number,
): Promise<Answer<readonly NamedFile[]>> {
  const numbers = Array.from({ length: amount }, (_, i) => (first + i) % SAMPLES);
  const failed: Answer<never>[] = [];
  const files = await concurrently(numbers, REQUESTS_MAX, async (number) => {
    // After one problem the rest is not requested: it has most likely the same one.
    if (!cache.has(number) && failed.length === 0) {
      const answer = await api.sample(number);
      if (answer.ok) cache.set(number, answer.value);
      else failed.push(answer);
    }
    const name = `sample_${number}.png`;
    return { name, file: new File([cache.get(number) ?? ""], name, { type: "image/png" }) };
  });
  return failed[0] ?? { ok: true, value: files };
}
