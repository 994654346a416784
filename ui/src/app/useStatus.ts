// Which model and version does the service run?
import { useEffect, useState } from "react";

import type { Api } from "../api/client";
import type { Status } from "../api/types";

/** Returns the status as read when the stream last opened: after a restart the model may be another. */
export function useStatus(api: Api, open: boolean): Status | null {
  const [status, setStatus] = useState<Status | null>(null);
  useEffect(() => {
    if (!open) return;
    let current = true;
    void api.status().then((answer) => {
      if (current && answer.ok) setStatus(answer.value);
    });
    return () => {
      current = false;
    };
  }, [api, open]);
  return status;
}
