// Has this pod been asked to stop, and was that refused?
import { useState } from "react";

import type { Api } from "../../api/client";
import { isTransient, type Problem } from "../../api/problem";
import type { Stop } from "../../api/types";
import type { PodView } from "../../live/state";

export interface StopControl {
  /** Whether the request of a kill is on its way or has succeeded, so that another makes no sense. */
  readonly killing: boolean;
  readonly error: string | null;
  readonly stop: (mode: Stop) => void;
}

/** Stops `pod`; `onStopping` is called once the service has accepted that. */
export function useStop(pod: PodView, api: Api, onStopping: (mode: Stop) => void): StopControl {
  const [requested, setRequested] = useState<Stop | null>(null);
  const [fault, setFault] = useState<{ readonly problem: Problem; readonly pod: PodView } | null>(null);

  const request = async (mode: Stop) => {
    if (requested === "kill" || pod.phase === "gone") return;
    setRequested(mode);
    setFault(null);
    const answer = await api.stopPod(pod.name, mode);
    if (answer.ok) onStopping(mode);
    else setFault({ problem: answer.problem, pod });
    // After a kill no other request makes sense; a draining pod may still be killed.
    if (!answer.ok || mode !== "kill") setRequested(null);
  };

  // A pod whose phase changed has recovered or was stopped by other means, and any event shows that the service answers.
  const over = fault && (isTransient(fault.problem) ? fault.pod !== pod : fault.pod.phase !== pod.phase);

  return {
    killing: requested === "kill" && pod.phase !== "gone",
    error: over ? null : (fault?.problem.message ?? null),
    stop: (mode) => void request(mode),
  };
}
