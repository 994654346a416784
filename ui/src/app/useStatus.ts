// Which model does the service serve?
import { useEffect, useState } from "react";

import type { Api } from "../api/client";
import type { Status } from "../api/types";

/** The service's status as of the last time that the line to it was opened: a restart may have brought another model. */
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
