// How does what the page receives reach the charts?
import { useCallback, useEffect, useState, type Dispatch } from "react";

import type { Action } from "../../live/state";
import { createRecorder, type Recorder } from "./recorder";

/** Interval between two points, in milliseconds. */
const SAMPLE_EVERY = 1_000;

/** Returns a recorder, and a dispatch through which it hears every action before `next` does. */
export function useRecorder(next: Dispatch<Action>): readonly [recorder: Recorder, dispatch: Dispatch<Action>] {
  const [recorder] = useState(createRecorder);
  useEffect(() => {
    const timer = setInterval(() => {
      recorder.sample(Date.now());
    }, SAMPLE_EVERY);
    return () => {
      clearInterval(timer);
    };
  }, [recorder]);
  const dispatch = useCallback(
    (action: Action) => {
      recorder.observe(action);
      next(action);
    },
    [recorder, next],
  );
  return [recorder, dispatch];
}
