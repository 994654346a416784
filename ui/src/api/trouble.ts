// What went wrong with a request, in words for the person who made it?
import { isFields } from "./shape";

/** A request that did not do what it was meant to. */
export interface Trouble {
  /** The HTTP status; 0 where no answer came at all. */
  readonly status: number;
  /** What to tell the person. */
  readonly message: string;
  /** Milliseconds after which the server asked to be tried again; `null` where it did not ask. */
  readonly retryAfter: number | null;
  /** The problem document as it came, for members that only one route knows. */
  readonly body: unknown;
}

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly trouble: Trouble };

interface Reply<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** Waits for a request and tells its value or its trouble; only an abort is thrown on. */
export async function answerOf<T>(request: Promise<Reply<T>>): Promise<Answer<T>> {
  try {
    const { data, error, response } = await request;
    // An empty body is an answer too where the route promises none.
    if (response.ok) return { ok: true, value: data as T };
    return { ok: false, trouble: troubleOf(response, error) };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    return { ok: false, trouble: { status: 0, message: "The service does not answer.", retryAfter: null, body: null } };
  }
}

/** What a refused response says of itself (RFC 9457 where the server speaks, a plain sentence where a proxy does). */
export function troubleOf(response: Response, body: unknown, now = Date.now()): Trouble {
  return {
    status: response.status,
    message: messageOf(body) ?? `The service answered ${response.status}.`,
    retryAfter: retryAfterOf(response.headers.get("retry-after"), now),
    body,
  };
}

/** Whether the same request may well succeed later. */
export function isPassing(trouble: Trouble): boolean {
  return trouble.status === 0 || trouble.status === 429 || trouble.status === 503;
}

function messageOf(body: unknown): string | null {
  if (!isFields(body)) return null;
  for (const part of [body.detail, body.title]) {
    if (typeof part === "string" && part !== "") return sentence(part);
  }
  return null;
}

/** `text` as a sentence by itself. */
export function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

function retryAfterOf(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
