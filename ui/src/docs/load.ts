// Where does the description come from?
import { problemOf, type Answer } from "../api/problem";
import { isFields } from "../api/shape";
import type { Description } from "./openapi";

/** Address of the description, seen from this page. */
export const ADDRESS = "../openapi.json";

/** Reads the description from the gateway that served the page. */
export async function load(fetch: typeof globalThis.fetch = globalThis.fetch): Promise<Answer<Description>> {
  try {
    const response = await fetch(ADDRESS);
    const body: unknown = await response.json();
    if (!response.ok) return { ok: false, problem: problemOf(response, body) };
    if (isFields(body) && isFields(body.info) && isFields(body.paths)) {
      return { ok: true, value: body as unknown as Description };
    }
  } catch {
    // An unreachable gateway and an answer that is not JSON have the same consequence.
  }
  return {
    ok: false,
    problem: { status: 0, message: "Could not read the description.", retryAfter: null, body: null },
  };
}
