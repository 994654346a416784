// Which range does the person want, and has the service taken it?
import { useEffect, useRef, useState } from "react";

import type { Api } from "../../api/client";
import type { Scale } from "../../api/types";

/** Clicks in quick succession make one request: this long after the last, in milliseconds. */
export const SETTLE = 350;

export interface Range {
  readonly min: number;
  readonly max: number;
}

interface Draft {
  readonly range: Range;
  /** Whether the service has taken it. Until then nothing that it says is an answer to it. */
  readonly taken: boolean;
}

interface RangeControl {
  /** What is asked for until the service has answered, and from then on what it says. */
  readonly range: Range | null;
  readonly busy: boolean;
  readonly trouble: string | null;
  readonly set: (range: Range) => void;
}

export function useRange(scale: Scale | null, api: Api): RangeControl {
  const [draft, setDraft] = useState<Draft | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
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
    // A later click has the word.
    if (turn !== latest.current) return;
    setTrouble(answer.ok ? null : answer.trouble.message);
    setDraft(answer.ok ? { range: { min: answer.value.min, max: answer.value.max }, taken: true } : null);
  };

  const set = (range: Range) => {
    clearTimeout(timer.current);
    latest.current += 1;
    const turn = latest.current;
    setDraft({ range, taken: false });
    timer.current = setTimeout(() => void put(range, turn), SETTLE);
  };

  // The service has said so itself: from now on its word counts, also when somebody else changes the range.
  const said = draft?.taken && draft.range.min === scale?.min && draft.range.max === scale.max;
  if (said) setDraft(null);

  return { range: draft?.range ?? scale, busy: draft !== null, trouble, set };
}
