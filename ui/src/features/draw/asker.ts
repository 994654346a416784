// When is the service asked about a drawing that still changes?
//
// While a stroke is drawn at most every `INTERVAL`, and at its end at once. One request is made at a time, so an older
// answer never comes after a newer one; an answer about a drawing that was cleared meanwhile is dropped.
import type { Answer } from "../../api/problem";
import type { Job } from "../../api/types";

/** Time between two requests while a stroke is drawn, in milliseconds. */
export const INTERVAL = 100;

export interface Reply {
  readonly answer: Answer<Job>;
  /** Time from the request to the answer, in milliseconds. */
  readonly took: number;
}

export interface Asker {
  /** Notes that the drawing has changed and changes further. */
  readonly drawing: () => void;
  /** Notes that a stroke has ended. */
  readonly drawn: () => void;
  /** Forgets the drawing: what is still asked about it has no answer. */
  readonly clear: () => void;
}

interface Calls {
  readonly picture: () => Promise<Blob | null>;
  readonly ask: (picture: Blob) => Promise<Answer<Job>>;
  readonly onReply: (reply: Reply) => void;
}

export function createAsker({ picture, ask, onReply }: Calls): Asker {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let changed = false;
  let urgent = false;
  let busy = false;
  let askedAt = -INTERVAL;
  let drawingNow = 0;

  const schedule = () => {
    if (busy || !changed) return;
    clearTimeout(timer);
    const wait = askedAt + INTERVAL - performance.now();
    if (urgent || wait <= 0) void send();
    else timer = setTimeout(() => void send(), wait);
  };
  const send = async () => {
    const asked = drawingNow;
    [changed, urgent, busy] = [false, false, true];
    askedAt = performance.now();
    try {
      const blob = await picture();
      const answer = blob && (await ask(blob));
      if (answer && asked === drawingNow) onReply({ answer, took: performance.now() - askedAt });
    } finally {
      busy = false;
      schedule();
    }
  };
  return {
    drawing: () => {
      changed = true;
      schedule();
    },
    drawn: () => {
      [changed, urgent] = [true, true];
      schedule();
    },
    clear: () => {
      clearTimeout(timer);
      drawingNow += 1;
      [changed, urgent] = [false, false];
    },
  };
}
