// Which token does this browser tab present, if any?
//
// A gateway on a loopback address asks for none. Elsewhere the token is typed once and forgotten with the tab.

const KEY = "kana.token";

export interface TokenStore {
  get(): string | null;
  set(token: string): void;
}

/** Keeps the token for the life of the tab; in memory alone where the browser forbids storage. */
export function tokenStore(storage: Storage | null = sessionStorageOrNone()): TokenStore {
  let token = storage?.getItem(KEY) ?? null;
  return {
    get: () => token,
    set: (next) => {
      token = next;
      storage?.setItem(KEY, next);
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

/** The header that carries the token; empty without one. */
export function authorization(store: TokenStore): Record<string, string> {
  const token = store.get();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
