// What time is it, to the second?
import { useEffect, useState } from "react";

/** Interval at which ages on the page are updated, in milliseconds. */
const TICK = 1_000;

/** Returns the present time in milliseconds since the Unix epoch, updated every second. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, TICK);
    return () => {
      clearInterval(timer);
    };
  }, []);
  return now;
}
