// Which line of the console does an event make?
import type { Scale } from "../api/types";
import { CONSOLE_MAX, type ConsoleLine, type Happening, type PodView } from "./state";

/** Adds a line, and removes the oldest beyond those kept; `null` adds none. */
export function withLine(lines: readonly ConsoleLine[], line: Happening | null, at: number): readonly ConsoleLine[] {
  if (line === null) return lines;
  return [...lines, { ...line, seq: (lines.at(-1)?.seq ?? 0) + 1, at }].slice(-CONSOLE_MAX);
}

/** Returns the change of a pod, which a list of what is there is not: so a pod seen first is one only while it starts. */
export function podChange(before: PodView | undefined, after: PodView | undefined): Happening | null {
  if (after === undefined || after.phase === before?.phase) return null;
  if (before === undefined && after.phase !== "starting") return null;
  return { kind: "pod", name: after.name, state: after.ending ?? after.phase, reason: after.reason ?? "" };
}

/** Returns the change of the scale: of its range, of what is desired, or of who decides. The pods tell of themselves. */
export function scaleChange(before: Scale | null, after: Scale): Happening | null {
  const same = (["min", "max", "desired", "by", "paused"] as const).every((name) => before?.[name] === after[name]);
  return before === null || same ? null : { kind: "scale", scale: after };
}
