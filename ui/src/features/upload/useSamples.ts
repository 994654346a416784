// How does a person without an image try the service?
import { useRef, useState } from "react";

import type { Api, NamedFile } from "../../api/client";
import { samplesFrom, type Cache } from "../samples/fetch";

/** Number of samples in a run: the ten kana twice, and one more. */
export const SAMPLE_COUNT = 21;

interface Samples {
  readonly busy: boolean;
  readonly error: string | null;
  /** Fetches the samples and sends them, as if they were chosen from the disk. */
  readonly send: () => void;
}

/** Sends samples. `live` says whether the service is connected: once it is again, an error of before is over. */
export function useSamples(
  api: Api,
  add: (files: readonly NamedFile[]) => void,
  live: boolean,
  amount = SAMPLE_COUNT,
): Samples {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const [before, setBefore] = useState(live);
  if (before !== live) {
    setBefore(live);
    if (live) setError(null);
  }

  const cache = useRef<Cache>(new Map());
  const fetchAll = async () => {
    setBusy(true);
    const answer = await samplesFrom(api, cache.current, 0, amount);
    setBusy(false);
    setError(answer.ok ? null : answer.problem.message);
    if (answer.ok) add(answer.value);
  };

  return { busy, error, send: () => void fetchAll() };
}
