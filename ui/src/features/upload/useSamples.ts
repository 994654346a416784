// How does a person without an image try the service?
import { useState } from "react";

import type { Api, NamedFile } from "../../api/client";
import type { Problem } from "../../api/problem";

/** Number of samples in a run: the ten kana twice, and one more. */
export const SAMPLE_COUNT = 21;

interface Samples {
  readonly busy: boolean;
  readonly error: string | null;
  /** Fetches the samples and sends them, as if they were chosen from the disk. */
  readonly send: () => void;
}

/** Sends samples. `live` says whether the service is connected: once it is again, an error of before is over. */
export function useSamples(api: Api, add: (files: readonly NamedFile[]) => void, live: boolean): Samples {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const [before, setBefore] = useState(live);
  if (before !== live) {
    setBefore(live);
    if (live) setError(null);
  }

  const fetchAll = async () => {
    setBusy(true);
    const numbers = Array.from({ length: SAMPLE_COUNT }, (_, number) => number);
    const answers = await Promise.all(numbers.map((number) => api.sample(number)));
    const files: NamedFile[] = [];
    let problem: Problem | null = null;
    for (const [number, answer] of answers.entries()) {
      const name = `sample_${String(number)}.png`;
      if (answer.ok) files.push({ name, file: new File([answer.value], name, { type: "image/png" }) });
      else problem = answer.problem;
    }
    setBusy(false);
    setError(problem?.message ?? null);
    if (problem === null) add(files);
  };

  return { busy, error, send: () => void fetchAll() };
}
