// How do samples keep coming?
import { useEffect, useRef, useState } from "react";

import type { Api } from "../../api/client";
import { newKey, type Uploads } from "../upload/useUploads";
import { samplesFrom, type Cache } from "./fetch";
import { paced, TICK } from "./pace";

/** Images of one run; then a new one begins, so that the page can forget old ones. */
export const RUN_MAX = 1_000;
/** Requests that may wait for their answer; while there are more, nothing is added to them. */
const PENDING_MAX = 2;

export interface Stream {
  /** Samples a second; `null` while there are none. */
  readonly rate: number | null;
  readonly error: string | null;
  readonly start: (rate: number) => void;
  readonly stop: () => void;
}

/** Sends samples while it is started. `live` says whether the service is connected: without it nothing is sent. */
export function useStream(api: Api, uploads: Uploads, live: boolean): Stream {
  const [rate, setRate] = useState<number | null>(null);
  const [error, setError] = useState<string | null>(null);
  const cache = useRef<Cache>(new Map());
  const may = useRef(false);
  const { add, pending } = uploads;
  useEffect(() => {
    may.current = live && pending.length <= PENDING_MAX;
  }, [live, pending]);

  useEffect(() => {
    if (rate === null) return;
    let pace = { until: performance.now(), due: 0 };
    let [first, busy, stopped] = [0, false, false];
    let run = newKey();
    const tick = async () => {
      pace = paced(pace, rate, performance.now());
      if (pace.due === 0 || busy || !may.current) return;
      busy = true;
      const answer = await samplesFrom(api, cache.current, first, pace.due);
      busy = false;
      if (stopped) return;
      if (!answer.ok) {
        setError(answer.problem.message);
        setRate(null);
        return;
      }
      if (Math.floor(first / RUN_MAX) !== Math.floor((first + answer.value.length) / RUN_MAX)) run = newKey();
      first += answer.value.length;
      add(answer.value, run);
    };
    const timer = setInterval(() => void tick(), TICK);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, [api, add, rate]);

  return {
    rate,
    error,
    start: (next) => {
      setError(null);
      setRate(next);
    },
    stop: () => {
      setRate(null);
    },
  };
}
