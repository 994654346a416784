// What does a message of the stream mean?
//
// Only the members that the page cannot do without are looked at; a message that lacks them, or has a name from a later
// version, is passed over rather than breaking the page.
import { hasNumbers, hasStrings, isFields } from "../api/shape";
import type { Console, Job, Pod, Queue, Scale, Trouble } from "../api/types";
import type { Message } from "./parser";

export type ServerEvent =
  | { readonly type: "job"; readonly job: Job }
  | { readonly type: "pod"; readonly pod: Pod }
  | { readonly type: "scale"; readonly scale: Scale }
  | { readonly type: "queue"; readonly queue: Queue }
  | { readonly type: "console"; readonly console: Console }
  | { readonly type: "trouble"; readonly trouble: Trouble }
  | { readonly type: "reset" };

/** The event that `message` carries, or `null` where this page has no use for it. */
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
      return isFields(value) ? { type: "trouble", trouble: value as unknown as Trouble } : null;
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
