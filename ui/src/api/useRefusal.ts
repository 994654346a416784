// May the person use a control that needs this scope?
import { useSyncExternalStore } from "react";

import type { Scope } from "./access";
import type { Api } from "./client";

/** Returns why the service refuses the token's use of `scope`; `null` while it has not. */
export function useRefusal(api: Api, scope: Scope): string | null {
  return useSyncExternalStore(api.access.subscribe, () => api.access.get()[scope] ?? null);
}
