// What can somebody try who has no picture at hand?
import { useState } from "react";

import type { Api } from "../../api/client";
import type { Trouble } from "../../api/trouble";

/** A batch of samples: the ten kana twice, and one more. */
export const SAMPLE_COUNT = 21;

interface Samples {
  readonly busy: boolean;
  readonly trouble: string | null;
  /** Fetches the samples and hands them on, as though they had been chosen from the disk. */
  readonly send: () => void;
}

export function useSamples(api: Api, add: (files: readonly File[]) => void): Samples {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  const fetchAll = async () => {
    setBusy(true);
    const numbers = Array.from({ length: SAMPLE_COUNT }, (_, number) => number);
    const answers = await Promise.all(numbers.map((number) => api.sample(number)));
    const files: File[] = [];
    let refused: Trouble | null = null;
    for (const [number, answer] of answers.entries()) {
      if (answer.ok) files.push(new File([answer.value], `sample_${String(number)}.png`, { type: "image/png" }));
      else refused = answer.trouble;
    }
    setBusy(false);
    setTrouble(refused?.message ?? null);
    if (refused === null) add(files);
  };

  return { busy, trouble, send: () => void fetchAll() };
}
