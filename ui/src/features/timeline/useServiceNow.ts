// What time is it at the service?
import { useEffect, useState } from "react";

import type { Job } from "../../api/types";

/** Interval at which a timeline of few images, and one of many, grows, in milliseconds. */
const TICK = 100;
const TICK_OF_MANY = 1_000;
/** Images from which a timeline is drawn less often. */
const MANY = 1_000;

/** Returns the latest time that the service has named, in milliseconds since the Unix epoch. */
export function latestTime(jobs: readonly Job[]): number {
  let latest = 0;
  for (const job of jobs) {
    latest = Math.max(latest, job.settled ?? 0, job.submitted ?? 0, job.lost?.at(-1)?.ended ?? 0);
  }
  return latest;
}

/**
 * Returns the time by the clock of the service while `running`; the time that it named last otherwise.
 *
 * The clocks of service and browser may differ, so the difference counts as the smallest one seen.
 */
export function useServiceNow(jobs: readonly Job[], running: boolean): number {
  const latest = latestTime(jobs);
  const many = jobs.length >= MANY;
  const [{ now, ahead }, setClock] = useState({ now: 0, ahead: Infinity });
  useEffect(() => {
    if (!running) return;
    const tick = () => {
      const at = Date.now();
      setClock((clock) => ({ now: at, ahead: Math.min(clock.ahead, at - latest) }));
    };
    tick();
    const timer = setInterval(tick, many ? TICK_OF_MANY : TICK);
    return () => {
      clearInterval(timer);
    };
  }, [running, latest, many]);
  return running && now > 0 ? Math.max(latest, now - ahead) : latest;
}
