// Has this pod been asked to stop, and was that refused?
import { useState } from "react";

import type { Api } from "../../api/client";
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
  const [fault, setFault] = useState<{ readonly message: string; readonly phase: PodView["phase"] } | null>(null);

  const request = async (mode: Stop) => {
    if (requested === "kill" || pod.phase === "gone") return;
    setRequested(mode);
    setFault(null);
    const answer = await api.stopPod(pod.name, mode);
    if (answer.ok) onStopping(mode);
    else setFault({ message: answer.problem.message, phase: pod.phase });
    // After a kill no other request makes sense; a draining pod may still be killed.
    if (!answer.ok || mode !== "kill") setRequested(null);
  };

  return {
    killing: requested === "kill" && pod.phase !== "gone",
    // A pod whose phase changed has recovered or has been stopped by other means.
    error: fault?.phase === pod.phase ? fault.message : null,
    stop: (mode) => void request(mode),
  };
}
