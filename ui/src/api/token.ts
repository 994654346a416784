// Which token does this browser tab send, if any?
//
// A gateway on a loopback address asks for none. Elsewhere a person types the token once, and it is dropped with the tab.

const KEY = "kana.token";

export interface TokenStore {
  get(): string | null;
  set(token: string): void;
  clear(): void;
}

/** Creates a store that keeps the token until the tab closes; in memory only where the browser forbids storage. */
export function tokenStore(storage: Storage | null = sessionStorageOrNone()): TokenStore {
  let token = storage?.getItem(KEY) ?? null;
  return {
    get: () => token,
    set: (next) => {
      token = next;
      storage?.setItem(KEY, next);
    },
    clear: () => {
      token = null;
      storage?.removeItem(KEY);
    },
  };
}

function sessionStorageOrNone(): Storage | null {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
}

/** Returns the header that carries the token; empty without a token. */
export function authorization(store: TokenStore): Record<string, string> {
  const token = store.get();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
