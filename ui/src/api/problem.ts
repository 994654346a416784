// Why did a request fail, in words for the person who made it?
import { withSizes } from "../lib/format";
import { isFields } from "./shape";

/** Failure of a request. */
export interface Problem {
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** Sentence to show to the person. */
  readonly message: string;
  /** Milliseconds after which the server asks for a retry; `null` where it does not ask. */
  readonly retryAfter: number | null;
  /** Problem document as received, for members that only one route has. */
  readonly body: unknown;
}

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

interface Reply<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** Waits for a request and returns its value or its problem; only an abort is thrown. */
export async function answerOf<T>(request: Promise<Reply<T>>): Promise<Answer<T>> {
  try {
    const { data, error, response } = await request;
    // An empty body is valid where the route promises none.
    if (response.ok) return { ok: true, value: data as T };
    return { ok: false, problem: problemOf(response, error) };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    return { ok: false, problem: { status: 0, message: "The service does not answer.", retryAfter: null, body: null } };
  }
}

/** Reads the problem from a failed response: RFC 9457 from the gateway, a generic sentence for a proxy's answer. */
export function problemOf(response: Response, body: unknown, now = Date.now()): Problem {
  return {
    status: response.status,
    message: messageOf(body) ?? `The service answered ${response.status}.`,
    retryAfter: retryAfterOf(response.headers.get("retry-after"), now),
    body,
  };
}

/** Statuses after which the same request may succeed: no answer, too many, and those of a service or proxy without one. */
const TRANSIENT: readonly number[] = [0, 429, 502, 503, 504];

/** Whether the same request may succeed later. */
export function isTransient(problem: Problem): boolean {
  return TRANSIENT.includes(problem.status);
}

function messageOf(body: unknown): string | null {
  if (!isFields(body)) return null;
  for (const part of [body.detail, body.title]) {
    if (typeof part === "string" && part !== "") return sentence(withSizes(part));
  }
  return null;
}

/** Returns `text` with a capital first letter and a full stop. */
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
