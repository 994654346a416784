// Which event does a message of the stream carry?
//
// Only the members that the page needs are checked; a message that lacks them, or has the name of a later version, is
// ignored, so that it cannot break the page.
import { hasNumbers, hasStrings, isFields } from "../api/shape";
import type { Console, Job, Pod, Queue, Scale, PodsError } from "../api/types";
import type { Message } from "./sse";

export type ServerEvent =
  | { readonly type: "job"; readonly job: Job }
  | { readonly type: "pod"; readonly pod: Pod }
  | { readonly type: "scale"; readonly scale: Scale }
  | { readonly type: "queue"; readonly queue: Queue }
  | { readonly type: "console"; readonly console: Console }
  | { readonly type: "trouble"; readonly error: PodsError }
  | { readonly type: "reset" };

/** Returns the event that `message` carries, or `null` where the page does not use it. */
export function decode(message: Message): ServerEvent | null {
  if (message.event === "reset") return { type: "reset" };
  const value = parse(message.data);
  switch (message.event) {
    case "job":
      return hasStrings(value, "id", "batch", "state") ? { type: "job", job: value as unknown as Job } : null;
    case "pod":
      return hasStrings(value, "name", "phase") ? { type: "pod", pod: value as unknown as Pod } : null;
    case "scale":
      return hasNumbers(value, "min", "max") ? { type: "scale", scale: value as unknown as Scale } : null;
    case "queue":
      return hasNumbers(value, "waiting", "running") ? { type: "queue", queue: value as unknown as Queue } : null;
    case "console":
      return hasStrings(value, "command") ? { type: "console", console: value as unknown as Console } : null;
    case "trouble":
      return isFields(value) ? { type: "trouble", error: value as unknown as PodsError } : null;
    default:
      return null;
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return null;
  }
}
