// How often are the same files sent, and which phases does the page show?
//
// Every attempt carries the same idempotency key, so that a submission whose answer was lost is not made twice.
import type { Api, NamedFile } from "../../api/client";
import type { Rejection } from "../../api/types";
import { pause } from "../../lib/pause";
import { send, type Accepted } from "./send";

/** Tries made without asking the person. */
export const TRIES_MAX = 5;

export type Phase =
  | { readonly name: "sending" }
  | { readonly name: "waiting"; readonly until: number; readonly message: string }
  /** Every attempt failed; the person may retry. */
  | { readonly name: "given up"; readonly message: string }
  /** The service would refuse the same files again. */
  | { readonly name: "refused"; readonly message: string; readonly rejected: readonly Rejection[] };

export interface Upload {
  /** Identity of the upload, and the idempotency key of its requests. */
  readonly key: string;
  readonly files: readonly NamedFile[];
  readonly phase: Phase;
}

export interface Delivery {
  readonly api: Api;
  readonly key: string;
  readonly files: readonly NamedFile[];
  /** Batch of the requests of the same run before this one. */
  readonly batch?: string | undefined;
  readonly signal: AbortSignal;
  readonly onPhase: (phase: Phase) => void;
  /** Waits so many milliseconds; tests return at once. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** Sends the files until they are accepted, refused, given up or cancelled; returns a value only if they are accepted. */
export async function deliver(delivery: Delivery): Promise<Accepted | null> {
  const { api, key, files, batch, signal, onPhase } = delivery;
  const sleep = delivery.sleep ?? ((ms: number) => pause(ms, signal));

  for (let tries = 1; !signal.aborted; tries += 1) {
    onPhase({ name: "sending" });
    const outcome = await send(api, { files, key, signal, ...(batch !== undefined && { batch }) });
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
