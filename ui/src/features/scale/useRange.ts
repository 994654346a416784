// Which range does the person want, and has the service accepted it?
import { useEffect, useRef, useState } from "react";

import type { Api } from "../../api/client";
import { isTransient, type Problem } from "../../api/problem";
import type { Scale } from "../../api/types";

/** Delay after the last change before the request, in milliseconds: quick clicks make one request. */
export const SETTLE = 350;

export interface Range {
  readonly min: number;
  readonly max: number;
}

interface Draft {
  readonly range: Range;
  /** Whether the service has accepted the range. Until then its events still carry the old one. */
  readonly accepted: boolean;
}

interface RangeControl {
  /** Range asked for until the service has confirmed it, and from then on the range of the service. */
  readonly range: Range | null;
  readonly busy: boolean;
  readonly error: string | null;
  readonly set: (range: Range) => void;
}

/** Keeps the range that the person asks for until the service has confirmed it. */
export function useRange(scale: Scale | null, api: Api): RangeControl {
  const [draft, setDraft] = useState<Draft | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef(0);

  useEffect(
    () => () => {
      clearTimeout(timer.current);
    },
    [],
  );

  const put = async (range: Range, turn: number) => {
    const answer = await api.setScale(range);
    // Only the answer to the latest change counts.
    if (turn !== latest.current) return;
    setProblem(answer.ok ? null : answer.problem);
    setDraft(answer.ok ? { range: { min: answer.value.min, max: answer.value.max }, accepted: true } : null);
  };

  const set = (range: Range) => {
    clearTimeout(timer.current);
    setProblem(null);
    latest.current += 1;
    const turn = latest.current;
    setDraft({ range, accepted: false });
    timer.current = setTimeout(() => void put(range, turn), SETTLE);
  };

  // The stream has confirmed the range: from now on the service decides, also when another client changes the range.
  const confirmed = draft?.accepted && draft.range.min === scale?.min && draft.range.max === scale.max;
  if (confirmed) setDraft(null);

  // A change of the scale shows that the service answers again, and a refusal was of another range.
  const [seen, setSeen] = useState(scale);
  if (seen !== scale) {
    setSeen(scale);
    if (problem !== null && (isTransient(problem) || seen?.min !== scale?.min || seen?.max !== scale?.max)) {
      setProblem(null);
    }
  }

  return { range: draft?.range ?? scale, busy: draft !== null, error: problem?.message ?? null, set };
}
