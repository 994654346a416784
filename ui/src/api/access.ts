// What has the service refused this token, and why?
//
// No route says which scopes a token has, so a scope counts as granted until the first answer 403 names it as lacking.

export type Scope = "submit" | "operate";

/** Reason of the refusal, by scope. */
export type Refusals = Readonly<Partial<Record<Scope, string>>>;

export interface AccessStore {
  get(): Refusals;
  refuse(scope: Scope, reason: string): void;
  /** Forgets every refusal: the token has changed. */
  reset(): void;
  /** Calls `listener` after every change, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
}

export function accessStore(): AccessStore {
  const listeners = new Set<() => void>();
  let refusals: Refusals = {};
  const change = (next: Refusals) => {
    refusals = next;
    for (const listener of listeners) listener();
  };
  return {
    get: () => refusals,
    refuse: (scope, reason) => {
      change({ ...refusals, [scope]: reason });
    },
    reset: () => {
      change({});
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
