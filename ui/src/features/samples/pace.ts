// How many samples are due now?
//
// Pure: the time is handed in. What could not be sent in time is not sent later in a burst.

/** Time between two looks at what is due, in milliseconds. */
export const TICK = 200;

export interface Pace {
  /** Time up to which all samples were due. */
  readonly until: number;
  /** Number of samples due by then. */
  readonly due: number;
}

/** Returns how many samples are due at `now` by `rate` a second, never more than one second's. */
export function paced({ until }: Pace, rate: number, now: number): Pace {
  const behind = Math.max(until, now - 1_000);
  const due = Math.floor(((now - behind) * rate) / 1_000);
  return { until: due === 0 ? behind : behind + (due * 1_000) / rate, due };
}
