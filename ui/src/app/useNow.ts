// What time is it, to the second?
import { useEffect, useState } from "react";

/** How often ages on the page grow, in milliseconds. */
const TICK = 1_000;

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
