// How often are the same files sent, and what is said meanwhile?
//
// Every try carries the same idempotency key, so that a submission whose answer was lost is not made twice.
import type { Api } from "../../api/client";
import type { Rejection } from "../../api/types";
import { pause } from "../../app/pause";
import { send, type Accepted } from "./send";

/** Tries made without asking the person. */
export const TRIES_MAX = 5;

export type Phase =
  | { readonly name: "sending" }
  | { readonly name: "waiting"; readonly until: number; readonly message: string }
  /** Nobody answered in time; the person may have it tried again. */
  | { readonly name: "given up"; readonly message: string }
  /** Sending the same again would be refused again. */
  | { readonly name: "refused"; readonly message: string; readonly rejected: readonly Rejection[] };

export interface Sending {
  /** Also the idempotency key. */
  readonly key: string;
  readonly files: readonly File[];
  readonly phase: Phase;
}

export interface Delivery {
  readonly api: Api;
  readonly key: string;
  readonly files: readonly File[];
  readonly signal: AbortSignal;
  readonly onPhase: (phase: Phase) => void;
  /** Waits; tests answer at once. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** Sends until the files are accepted, refused, given up or called off; only the first gives a value. */
export async function deliver(delivery: Delivery): Promise<Accepted | null> {
  const { api, key, files, signal, onPhase } = delivery;
  const sleep = delivery.sleep ?? ((ms: number) => pause(ms, signal));

  for (let tries = 1; !signal.aborted; tries += 1) {
    onPhase({ name: "sending" });
    const outcome = await send(api, { files, key, signal });
    if (outcome.kind === "accepted") return outcome;
    if (outcome.kind === "refused") {
      onPhase({ name: "refused", message: outcome.message, rejected: outcome.rejected });
      return null;
    }
    if (tries === TRIES_MAX) {
      onPhase({ name: "given up", message: outcome.message });
      return null;
    }
    onPhase({ name: "waiting", until: Date.now() + outcome.wait, message: outcome.message });
    await sleep(outcome.wait);
  }
  return null;
}
